# lib/auth: layer 8, the client of authd, what both sides of the channel know, and the forms of
# password databases.
lib_libposthouse_a_SOURCES += \
	lib/auth/check.c lib/auth/check.h lib/auth/check_offer.c \
	lib/auth/client.c lib/auth/client.h \
	lib/auth/credential.c lib/auth/credential.h \
	lib/auth/db_file.c lib/auth/db_file.h \
	lib/auth/mechanism.h lib/auth/result.h \
	lib/auth/passwd_line.c lib/auth/passwd_line.h \
	lib/auth/relay.c lib/auth/relay.h
