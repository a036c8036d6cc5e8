# lib/sandbox: layer 5, promises turned into closed doors.
lib_libposthouse_a_SOURCES += \
	lib/sandbox/filter.c \
	lib/sandbox/landlock.c \
	lib/sandbox/paths.c lib/sandbox/paths.h \
	lib/sandbox/privilege.c \
	lib/sandbox/probe.c lib/sandbox/probe.h \
	lib/sandbox/rules.c \
	lib/sandbox/sandbox.c lib/sandbox/sandbox.h \
	lib/sandbox/sandbox_private.h \
	lib/sandbox/trap.c \
	lib/sandbox/warm_up.c \
	lib/sandbox/warm_up_crypto.c
