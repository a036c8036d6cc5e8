# lib/sasl: layer 1, SASL mechanisms as pure exchanges. Programs that use it link $(SASL_LIBS).
lib_libposthouse_a_SOURCES += \
	lib/sasl/client.c lib/sasl/client.h lib/sasl/client_private.h \
	lib/sasl/client_scram.c \
	lib/sasl/mechanism.c lib/sasl/mechanism.h \
	lib/sasl/oauth_message.c lib/sasl/oauth_message.h \
	lib/sasl/plain_message.c lib/sasl/plain_message.h \
	lib/sasl/prep.c lib/sasl/prep.h \
	lib/sasl/scram.c lib/sasl/scram.h \
	lib/sasl/scram_message.c lib/sasl/scram_message.h \
	lib/sasl/server.c lib/sasl/server.h lib/sasl/server_private.h \
	lib/sasl/server_oauth.c lib/sasl/server_scram.c lib/sasl/server_simple.c
