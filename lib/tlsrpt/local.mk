# lib/tlsrpt: layer 3, TLS reports and the records that ask for them.
lib_libposthouse_a_SOURCES += \
	lib/tlsrpt/result.c lib/tlsrpt/result.h
