/* tools/postmap - what the files of the postmap command share. */
#ifndef POSTMAP_H
#define POSTMAP_H

#include <stdlib.h>

#include "table/table.h"

enum { POSTMAP_ERROR_MAX_BYTES = 4096, POSTMAP_WHERE_MAX_BYTES = 1024 };

enum postmap_mode { POSTMAP_BUILD, POSTMAP_QUERY, POSTMAP_DELETE, POSTMAP_LIST };

struct postmap {
    bool is_for_aliases; /* postalias, newaliases */
    enum postmap_mode mode;
    const char *key;
    const char *config_directory; /* -c, or NULL */
    char default_type[65];        /* empty: not asked yet */
    unsigned table_flags;
    unsigned build_flags;
    bool is_incremental;
    bool keeps_root;
    bool has_own_mode; /* -p: permissions are not those of the source */
    bool requires_utf8;
    bool is_verbose;
    bool prints_json;      /* -j */
    bool has_files;        /* -F: values are files' content, in base64 */
    bool asks_headers;     /* -h: of a message on standard input */
    bool asks_body;        /* -b */
    bool understands_mime; /* -m */
};

/* "postmap: warning: ..." */
void postmap_say(const char *level, const char *format, ...) PRINTF_LIKE(2, 3);
#define fatal(...) (postmap_say("fatal", __VA_ARGS__), exit(EXIT_FAILURE))
#define warning(...) postmap_say("warning", __VA_ARGS__)

/* "file" is "hash:file". */
struct span postmap_full_name(struct postmap *postmap, struct arena *arena, const char *name);

/* Told of a key; whether it was found. */
typedef bool postmap_visit(void *context, struct span key, bool is_one_of_many);
/* The key of the command line, or with "-" each line of standard input; true when one was found. */
bool postmap_for_each_key(const struct postmap *postmap, postmap_visit *visit, void *context);
/* The header fields and body lines of the message on standard input, as options say. */
bool postmap_for_each_of_message(const struct postmap *postmap, postmap_visit *visit,
                                 void *context);

/* The table from its text, or from standard input. */
void postmap_build_one(struct postmap *postmap, const char *name);
/* Removes keys; whether one was there. */
bool postmap_delete(struct postmap *postmap, char **names, size_t count);

/* -F: what stands in the files of that list; ends the program when one is unreadable. where is the
 * beginning of what it says then. */
void postmap_read_files(struct span names, const char *where, struct buffer *content);
/* -F: what a value of a database, base64, stands for. */
void postmap_decode_value(struct span key, struct span value, struct buffer *out);

#endif
