# logd: collects log lines, writes syslog or a file.
logd_parts = logd/destination.c logd/destination.h logd/order.c logd/order.h
daemon_PROGRAMS += logd/logd
logd_logd_SOURCES = logd/main.c logd/senders.c logd/senders.h $(logd_parts)
logd_logd_LDADD = $(posthouse_libs)
include tests/logd/local.mk
