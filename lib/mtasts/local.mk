# lib/mtasts: layer 3, MTA-STS records and policies as text.
lib_libposthouse_a_SOURCES += \
	lib/mtasts/policy.c lib/mtasts/policy.h \
	lib/mtasts/record.c lib/mtasts/record.h
