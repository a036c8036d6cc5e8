# addrd: answers questions about addresses.
addrd_parts = \
	addrd/expander.c addrd/expander.h \
	addrd/questions.c addrd/questions.h \
	addrd/resolver.c addrd/resolver.h \
	addrd/rewriter.c addrd/rewriter.h \
	addrd/search.c addrd/search.h \
	addrd/tables.c addrd/tables.h \
	addrd/worker.c addrd/worker.h
daemon_PROGRAMS += addrd/addrd
addrd_addrd_SOURCES = addrd/main.c addrd/dispatcher.c addrd/dispatcher.h $(addrd_parts)
addrd_addrd_LDADD = $(posthouse_libs) $(DB_LIBS)
include tests/addrd/local.mk
