# lib/intake: layer 9, how mail is made.
lib_libposthouse_a_SOURCES += \
	lib/intake/duplicates.c lib/intake/duplicates.h \
	lib/intake/header.c lib/intake/header.h \
	lib/intake/intake.c lib/intake/intake.h \
	lib/intake/recipients.c lib/intake/recipients.h
