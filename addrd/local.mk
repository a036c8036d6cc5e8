# addrd: answers questions about addresses.
addrd_parts = \
	addrd/resolver.c addrd/resolver.h \
	addrd/tables.c addrd/tables.h
include tests/addrd/local.mk
