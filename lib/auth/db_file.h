/* auth/db_file - what is told of a server in a file of its own, which only root need be able to
 * read: name = value lines as main.cf has them; and texts with %u in which what stands for it is
 * escaped.
 * Callers: authd/db_sql, authd/db_ldap, auth/check. */
#ifndef AUTH_DB_FILE_H
#define AUTH_DB_FILE_H

#include "base/arena.h"
#include "base/buffer.h"

enum { DB_FILE_SETTINGS_MAX = 64 };

struct db_file {
    struct arena arena; /* wiped */
    struct span names[DB_FILE_SETTINGS_MAX];
    struct span values[DB_FILE_SETTINGS_MAX];
    size_t count;
};

/* What such files may say, NULL at the end. */
extern const char *const db_file_sql_names[];
extern const char *const db_file_ldap_names[];

/* known: the names that mean something, NULL at the end. False with a reason. */
MUST_USE bool db_file_read(struct db_file *file, struct span path, const char *const *known,
                           struct buffer *reason);
/* The text, without its lines' ends; pure. */
MUST_USE bool db_file_parse(struct db_file *file, struct span text, const char *const *known,
                            struct buffer *reason);
/* The value; or the default, which may be NULL for the empty text. */
MUST_USE struct span db_file_get(const struct db_file *file, const char *name,
                                 const char *otherwise);
/* The same for C; NULL where it is empty. */
MUST_USE const char *db_file_string(struct db_file *file, const char *name);

/* What a letter behind a percent sign stands for. */
struct db_substitution {
    char letter;
    struct span value;
};
/* Appends the text with each %letter replaced by its value as escape() writes it; %% is a percent
 * sign; %n and %d are the parts of %u. False: a letter that means nothing. */
MUST_USE bool db_expand(struct span text, const struct db_substitution *substitutions, size_t count,
                        void (*escape)(struct buffer *out, struct span value, void *context),
                        void *context, struct buffer *out);

#endif
