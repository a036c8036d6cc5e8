# lib/maillog: layer 6, log lines and logd's client.
lib_libposthouse_a_SOURCES += \
	lib/maillog/client.c lib/maillog/client.h \
	lib/maillog/delivery.c lib/maillog/delivery.h \
	lib/maillog/event.c lib/maillog/event.h \
	lib/maillog/format.c lib/maillog/format.h \
	lib/maillog/log.c lib/maillog/log.h \
	lib/maillog/queue.c lib/maillog/queue.h \
	lib/maillog/receive.c lib/maillog/receive.h \
	lib/maillog/record.c lib/maillog/record.h \
	lib/maillog/tls.c lib/maillog/tls.h
