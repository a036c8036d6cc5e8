# lib/crew: layer 6, processes that do what may block, and the side that asks them.
lib_libposthouse_a_SOURCES += \
	lib/crew/crew.c lib/crew/crew.h \
	lib/crew/nursery.c lib/crew/nursery.h
