# tools/
sbin_PROGRAMS += tools/postmap
tools_postmap_SOURCES = tools/postmap.c
tools_postmap_LDADD = $(posthouse_libs) $(DB_LIBS)
