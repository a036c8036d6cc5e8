# lib/conf: main.cf and master.cf, the parameter catalogue, settings for each service.
lib_libposthouse_a_SOURCES += \
	lib/conf/addrd.h lib/conf/bounce.h lib/conf/discard.h lib/conf/dnsd.h lib/conf/error.h lib/conf/local.h lib/conf/logd.h \
	lib/conf/addrd.h lib/conf/bounce.h lib/conf/dnsd.h lib/conf/limitd.h lib/conf/local.h lib/conf/logd.h \
	lib/conf/addrd.h lib/conf/bounce.h lib/conf/connectd.h lib/conf/dnsd.h \
	lib/conf/lmtp.h lib/conf/local.h lib/conf/logd.h \
	lib/conf/master.h lib/conf/qmgr.h lib/conf/smtp.h lib/conf/smtpd.h lib/conf/submitd.h lib/conf/tools.h \
	lib/conf/master.h lib/conf/pipe.h lib/conf/qmgr.h lib/conf/smtp.h lib/conf/smtpd.h lib/conf/tools.h \
	lib/conf/virtual.h \
	lib/conf/verify.h lib/conf/virtual.h \
	lib/conf/catalogue/end.h lib/conf/catalogue/fields.h lib/conf/catalogue/rows.h \
	lib/conf/catalogue/shared.h \
	lib/conf/catalogue/addrd.def lib/conf/catalogue/bounce.def lib/conf/catalogue/discard.def lib/conf/catalogue/dnsd.def lib/conf/catalogue/error.def \
	lib/conf/catalogue/addrd.def lib/conf/catalogue/bounce.def lib/conf/catalogue/connectd.def \
	lib/conf/catalogue/lmtp.def lib/conf/catalogue/dnsd.def \
	lib/conf/catalogue/known.def lib/conf/catalogue/local.def lib/conf/catalogue/logd.def \
	lib/conf/catalogue/addrd.def lib/conf/catalogue/bounce.def lib/conf/catalogue/dnsd.def \
	lib/conf/catalogue/known.def lib/conf/catalogue/limitd.def lib/conf/catalogue/local.def lib/conf/catalogue/logd.def \
	lib/conf/catalogue/master.def lib/conf/catalogue/qmgr.def lib/conf/catalogue/smtp.def \
	lib/conf/catalogue/master.def lib/conf/catalogue/pipe.def lib/conf/catalogue/qmgr.def lib/conf/catalogue/smtp.def \
	lib/conf/catalogue/smtpd.def lib/conf/catalogue/submitd.def \
	lib/conf/catalogue/tools.def lib/conf/catalogue/virtual.def \
	lib/conf/catalogue/smtpd.def lib/conf/catalogue/tools.def lib/conf/catalogue/verify.def lib/conf/catalogue/virtual.def \
	lib/conf/check.c lib/conf/check.h \
	lib/conf/compare.c \
	lib/conf/defaults.c lib/conf/defaults.h \
	lib/conf/edit.c lib/conf/edit.h \
	lib/conf/expand.c lib/conf/expand.h \
	lib/conf/host.c \
	lib/conf/instance.c lib/conf/instance.h \
	lib/conf/known.c lib/conf/known.h \
	lib/conf/lines.c lib/conf/lines.h \
	lib/conf/load.c \
	lib/conf/main_cf.c lib/conf/main_cf.h \
	lib/conf/master_cf.c lib/conf/master_cf.h \
	lib/conf/networks.c lib/conf/networks.h \
	lib/conf/notice.c lib/conf/notice.h \
	lib/conf/own_addresses.c lib/conf/own_addresses.h \
	lib/conf/pipe_command.c lib/conf/pipe_command.h \
	lib/conf/part.h lib/conf/parts.c \
	lib/conf/print.c lib/conf/print.h \
	lib/conf/private.h \
	lib/conf/sealed.c \
	lib/conf/shapes.c lib/conf/shapes.h lib/conf/shapes_machine.c lib/conf/shapes_private.h \
	lib/conf/suggest.c lib/conf/suggest.h \
	lib/conf/templates.c lib/conf/templates.h \
	lib/conf/usage.c lib/conf/usage.h \
	lib/conf/value.c lib/conf/value.h
lib_libposthouse_a_SOURCES += lib/conf/pickup.h lib/conf/catalogue/pickup.def
lib_libposthouse_a_SOURCES += lib/conf/reportd.h lib/conf/catalogue/reportd.def
lib_libposthouse_a_SOURCES += lib/conf/stsd.h lib/conf/catalogue/stsd.def
lib_libposthouse_a_SOURCES += lib/conf/fetchd.h lib/conf/catalogue/fetchd.def
lib_libposthouse_a_SOURCES += lib/conf/authd.h lib/conf/catalogue/authd.def
lib_libposthouse_a_SOURCES += lib/conf/each_service.c lib/conf/keyd.h lib/conf/catalogue/keyd.def
