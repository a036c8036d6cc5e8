# lib/tls: layer 7, TLS over streams. Programs that use it add $(SSL_LIBS) after $(posthouse_libs).
lib_libposthouse_a_SOURCES += lib/tls/stream.c lib/tls/stream.h
