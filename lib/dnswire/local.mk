# lib/dnswire: layer 2, DNS queries and answers as bytes.
lib_libposthouse_a_SOURCES += \
	lib/dnswire/answer.c lib/dnswire/answer.h \
	lib/dnswire/name.c lib/dnswire/name.h \
	lib/dnswire/query.c lib/dnswire/query.h
