# lib/table: layer 7, lookup tables. Programs that open tables link $(DB_LIBS) too.
lib_libposthouse_a_SOURCES += \
	lib/table/address_lookup.c lib/table/address_lookup.h \
	lib/table/alias_source.c lib/table/alias_source.h \
	lib/table/berkeley.c lib/table/berkeley.h \
	lib/table/berkeley_pages.c lib/table/berkeley_pages.h \
	lib/table/build.c lib/table/build.h lib/table/build_private.h \
	lib/table/build_berkeley.c \
	lib/table/check.c lib/table/check.h \
	lib/table/cidr.c \
	lib/table/composite.c \
	lib/table/held.c lib/table/held.h \
	lib/table/list.c lib/table/list.h \
	lib/table/literal.c \
	lib/table/clients.c lib/table/clients.h \
	lib/table/mapped.c lib/table/mapped.h \
	lib/table/match.c lib/table/match.h \
	lib/table/memory.c lib/table/memory.h \
	lib/table/name_service.c \
	lib/table/names.c lib/table/names.h \
	lib/table/paths.c lib/table/paths.h \
	lib/table/readable.c lib/table/readable.h \
	lib/table/pattern.c lib/table/pattern.h \
	lib/table/pcre.c \
	lib/table/regexp.c \
	lib/table/restrictions.c lib/table/restrictions.h \
	lib/table/root_alias.c lib/table/root_alias.h \
	lib/table/rules.c lib/table/rules.h \
	lib/table/server.c \
	lib/table/server_protocol.c lib/table/server_protocol.h \
	lib/table/source.c lib/table/source.h \
	lib/table/table.c lib/table/table.h lib/table/table_private.h \
	lib/table/text_file.c lib/table/text_file.h \
	lib/table/texthash.c \
	lib/table/words.c lib/table/words.h
if HAVE_CDB
lib_libposthouse_a_SOURCES += lib/table/cdb.c lib/table/build_cdb.c
endif
if HAVE_LMDB
lib_libposthouse_a_SOURCES += lib/table/lmdb.c lib/table/build_lmdb.c
endif
