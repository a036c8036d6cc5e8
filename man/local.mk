# man/: mdoc(7), clean under mandoc -Tlint
dist_man_MANS += man/addrd.8
dist_man_MANS += man/bounce.8
dist_man_MANS += man/dnsd.8
dist_man_MANS += man/local.8
dist_man_MANS += man/logd.8
dist_man_MANS += man/master.8
dist_man_MANS += man/posthouse-log.5
dist_man_MANS += man/posthouse-queue.5
dist_man_MANS += man/posthouse-table.5
dist_man_MANS += man/posthouse.8
dist_man_MANS += man/postmap.1
dist_man_MANS += man/postqueue.1
dist_man_MANS += man/qmgr.8
dist_man_MANS += man/smtp.8
dist_man_MANS += man/smtpd.8
dist_man_MANS += man/virtual.8
dist_man_MANS += man/postconf.1
