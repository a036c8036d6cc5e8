# lib/queuefile: layer 2, the format of queue files; no system calls.
lib_libposthouse_a_SOURCES += \
	lib/queuefile/bucket.c lib/queuefile/bucket.h \
	lib/queuefile/digest.c lib/queuefile/digest.h \
	lib/queuefile/drop.c lib/queuefile/drop.h \
	lib/queuefile/envelope.c lib/queuefile/envelope.h \
	lib/queuefile/id.c lib/queuefile/id.h \
	lib/queuefile/preamble.c lib/queuefile/preamble.h \
	lib/queuefile/ranges.c lib/queuefile/ranges.h \
	lib/queuefile/record.c lib/queuefile/record_private.h \
	lib/queuefile/state.c lib/queuefile/state.h
