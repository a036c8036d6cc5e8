# lib/agent: layer 9, a delivery agent's side of its channel with qmgr.
lib_libposthouse_a_SOURCES += \
	lib/agent/agent.c lib/agent/agent.h \
	lib/agent/content.h \
	lib/agent/status_filter.c lib/agent/status_filter.h
