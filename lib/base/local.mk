# lib/base: layer 0, what everything else is written with.
lib_libposthouse_a_SOURCES += \
	lib/base/arena.c lib/base/arena.h \
	lib/base/ascii.c lib/base/ascii.h \
	lib/base/base64.c lib/base/base64.h \
	lib/base/buffer.c lib/base/buffer.h \
	lib/base/byteset.c lib/base/byteset.h \
	lib/base/compiler.h \
	lib/base/list.h \
	lib/base/json.c lib/base/json.h \
	lib/base/json_read.c lib/base/json_read.h \
	lib/base/map.c lib/base/map.h \
	lib/base/number.c lib/base/number.h \
	lib/base/outcome.c lib/base/outcome.h \
	lib/base/parse.h \
	lib/base/span.c lib/base/span.h \
	lib/base/tag_list.c lib/base/tag_list.h \
	lib/base/utf8.c lib/base/utf8.h
