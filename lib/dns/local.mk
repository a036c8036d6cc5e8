# lib/dns: layer 7, the client of dnsd.
lib_libposthouse_a_SOURCES += \
	lib/dns/client.c lib/dns/client.h \
	lib/dns/hosts.c lib/dns/hosts.h \
	lib/dns/records.c lib/dns/records.h
