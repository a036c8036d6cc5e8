# lib/service: layer 10, what every daemon is built on.
lib_libposthouse_a_SOURCES += \
	lib/service/agent_filter.c \
	lib/service/agent_service.c lib/service/agent_service.h \
	lib/service/service.c lib/service/service.h
