# lib/queuestore: layer 5, the queue directory on disk.
lib_libposthouse_a_SOURCES += \
	lib/queuestore/alter.c lib/queuestore/alter.h \
	lib/queuestore/store.c lib/queuestore/store.h \
	lib/queuestore/walk.c lib/queuestore/walk.h
