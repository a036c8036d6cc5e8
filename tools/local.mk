# tools/
sbin_PROGRAMS += tools/postmap
tools_postmap_SOURCES = tools/postmap.c
tools_postmap_LDADD = $(posthouse_libs) $(DB_LIBS)

sbin_PROGRAMS += tools/posthouse
tools_posthouse_SOURCES = tools/posthouse.c tools/ask.c tools/ask.h
tools_posthouse_LDADD = $(posthouse_libs)
