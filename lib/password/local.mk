# lib/password: layer 2, stored passwords.
lib_libposthouse_a_SOURCES += \
	lib/password/cram_md5.c \
	lib/password/crypt.c \
	lib/password/digest.c \
	lib/password/names.c \
	lib/password/private.h \
	lib/password/scheme.c lib/password/scheme.h
