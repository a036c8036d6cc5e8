# lib/ipc: layer 5, how the processes talk.
lib_libposthouse_a_SOURCES += \
	lib/ipc/asker.c lib/ipc/asker.h \
	lib/ipc/channel.c lib/ipc/channel.h \
	lib/ipc/codec.c lib/ipc/codec.h \
	lib/ipc/helper.c lib/ipc/helper.h \
	lib/ipc/message.c lib/ipc/message.h \
	lib/ipc/packet.c lib/ipc/packet.h \
	lib/ipc/role.c lib/ipc/role.h \
	lib/ipc/schema.def lib/ipc/schema_keys.def lib/ipc/schema_relay.def
