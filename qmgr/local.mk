# qmgr/
daemon_PROGRAMS += qmgr/qmgr
qmgr_qmgr_SOURCES = \
	qmgr/agent.c qmgr/agent.h \
	qmgr/backoff.c qmgr/backoff.h \
	qmgr/deliver.c \
	qmgr/dispatch.c \
	qmgr/flush.c qmgr/flush.h \
	qmgr/intake_peer.c qmgr/intake_peer.h \
	qmgr/listing.c qmgr/listing.h \
	qmgr/load.c qmgr/load.h \
	qmgr/main.c \
	qmgr/message.c qmgr/message.h \
	qmgr/qmgr.h \
	qmgr/report.c qmgr/report.h \
	qmgr/result.c \
	qmgr/route.c qmgr/route.h \
	qmgr/scan.c qmgr/scan.h \
	qmgr/schedule.c qmgr/schedule.h \
	qmgr/tool_peer.c qmgr/tool_peer.h \
	qmgr/window.c qmgr/window.h \
	qmgr/write.c qmgr/write.h
	qmgr/warn.c qmgr/warn.h qmgr/write.c qmgr/write.h
qmgr_qmgr_LDADD = $(posthouse_libs)
