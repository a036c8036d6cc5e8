# lib/tlsrpt: layer 3, TLS reports and the records that ask for them.
lib_libposthouse_a_SOURCES += \
	lib/tlsrpt/record.c lib/tlsrpt/record.h \
	lib/tlsrpt/result.c lib/tlsrpt/result.h
