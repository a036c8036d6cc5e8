# lib/intake: layer 9, how mail is made.
lib_libposthouse_a_SOURCES += \
	lib/intake/intake.c lib/intake/intake.h
