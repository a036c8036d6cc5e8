# lib/dsn: layer 3, delivery status notifications.
lib_libposthouse_a_SOURCES += \
	lib/dsn/report.c lib/dsn/report.h \
	lib/dsn/template.c lib/dsn/template.h \
	lib/dsn/text.c lib/dsn/text_private.h \
	lib/dsn/xtext.c lib/dsn/xtext.h
