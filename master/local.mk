# master: starts, wires and watches all other daemons.
daemon_PROGRAMS += master/master
master_parts = \
	master/adopt.c master/fleet_private.h \
	master/control.c master/control.h \
	master/endpoint.c master/endpoint.h \
	master/fleet.c master/fleet.h master/renew.c \
	master/handover.c master/handover.h \
	master/identity.c master/identity.h \
	master/key_check.c master/key_check.h \
	master/listeners.c master/listeners.h \
	master/lock.c master/lock.h \
	master/master.c master/master.h \
	master/places.c master/places.h \
	master/plan.c master/plan.h \
	master/poison.c master/poison.h \
	master/privilege.c master/privilege.h \
	master/process.c master/process.h \
	master/rehearsal.c master/rehearsal.h \
	master/repair.c master/repair.h \
	master/spawn.c master/spawn.h \
	master/supervise.c master/supervise.h \
	master/upgrade.c master/upgrade.h \
	master/wiring.c master/wiring.h
master_master_SOURCES = master/main.c $(master_parts)
master_master_LDADD = $(posthouse_libs) $(DB_LIBS)

# Files of a new instance; those that are there are the operator's.
sample_conf = conf/main.cf conf/master.cf
EXTRA_DIST += $(sample_conf)
sysusersdir = $(prefix)/lib/sysusers.d
unitdir = $(prefix)/lib/systemd/system
logrotatedir = $(sysconfdir)/logrotate.d
install-data-local: install-sample-conf
install-sample-conf:
	$(MKDIR_P) '$(DESTDIR)$(sysconfdir)/posthouse' '$(DESTDIR)$(sysusersdir)' \
		'$(DESTDIR)$(unitdir)' '$(DESTDIR)$(logrotatedir)'
	$(INSTALL_DATA) '$(srcdir)/conf/posthouse.sysusers' '$(DESTDIR)$(sysusersdir)/posthouse.conf'
	sed 's,@COMMANDS@,$(sbindir),g' '$(srcdir)/conf/posthouse.service.in' >'$(DESTDIR)$(unitdir)/posthouse.service'
	chmod 644 '$(DESTDIR)$(unitdir)/posthouse.service'
	test -e '$(DESTDIR)$(logrotatedir)/posthouse' || \
		sed 's,@COMMANDS@,$(sbindir),g' '$(srcdir)/conf/posthouse.logrotate.in' >'$(DESTDIR)$(logrotatedir)/posthouse'
	chmod 644 '$(DESTDIR)$(logrotatedir)/posthouse'
	for file in $(sample_conf); do \
		target='$(DESTDIR)$(sysconfdir)/posthouse'/`basename $$file`; \
		test -e "$$target" || $(INSTALL_DATA) '$(srcdir)'/$$file "$$target" || exit 1; \
	done
uninstall-local: uninstall-sample-conf
uninstall-sample-conf:
	rm -f '$(DESTDIR)$(sysusersdir)/posthouse.conf' '$(DESTDIR)$(unitdir)/posthouse.service'
	if sed 's,@COMMANDS@,$(sbindir),g' '$(srcdir)/conf/posthouse.logrotate.in' | \
		cmp -s - '$(DESTDIR)$(logrotatedir)/posthouse'; then rm -f '$(DESTDIR)$(logrotatedir)/posthouse'; fi
	for file in $(sample_conf); do \
		target='$(DESTDIR)$(sysconfdir)/posthouse'/`basename $$file`; \
		if cmp -s '$(srcdir)'/$$file "$$target"; then rm -f "$$target"; fi; \
	done
EXTRA_DIST += conf/posthouse.sysusers conf/posthouse.service.in conf/posthouse.logrotate.in
.PHONY: install-sample-conf uninstall-sample-conf
