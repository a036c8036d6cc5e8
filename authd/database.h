/* authd/database - a password database, as a worker sees it: one entry of auth_databases.
 * Most are asked for an account and the comparison is done here; those that only say yes or no
 * (PAM, binding to a directory) do it themselves. Calls may block; the worker's watchdog ends what
 * takes too long.
 * Callers: authd/worker, authd/plan (what is there at all). */
#ifndef AUTHD_DATABASE_H
#define AUTHD_DATABASE_H

#include "conf/authd.h"
#include "auth/credential.h"
#include "password/scheme.h"

/* What a database's workers must be, and so which of them may share workers. */
enum database_kind {
    DATABASE_OF_FILES,   /* authd's user, reads files */
    DATABASE_OF_NETWORK, /* authd's user, connects, too */
    DATABASE_OF_SHADOW,  /* root, reads the system's files */
    DATABASE_OF_PAM,     /* root without a filter: modules do as they like */
    DATABASE_KIND_COUNT
};

enum database_result {
    DATABASE_FOUND,
    DATABASE_NOT_FOUND,
    DATABASE_ERROR, /* the reason is in the buffer */
};

struct database;

/* The question, for those who decide themselves. */
struct credential_question {
    struct span user;
    struct span password;
    struct span service;
    struct span client_address;
};

struct database_type {
    const char *name; /* what stands before the colon */
    enum database_kind kind;
    /* Before the sandbox of those who make workers, perhaps as root: loads libraries, reads files
     * that only root may. False with a reason, which every question then gets for an answer. May be
     * NULL. */
    bool (*load)(struct database *database, struct buffer *reason);
    /* Makes database->state, at the first question; false with a reason: tried again at the next.
     * May be NULL. */
    bool (*open)(struct database *database, struct buffer *reason);
    /* The account, its texts in the arena. NULL where there is only check(). */
    enum database_result (*look_up)(struct database *database, struct span user,
                                    struct arena *arena, struct account *account,
                                    struct buffer *reason);
    /* Decides itself; asked where there is no look_up(), or with decides_itself. */
    enum credential_result (*check)(struct database *database,
                                    const struct credential_question *question, struct arena *arena,
                                    struct account *account, struct buffer *reason);
    /* Replaces a stored password by another; false with a reason. NULL: cannot be written. */
    bool (*store)(struct database *database, struct span user, struct span old_stored,
                  struct span new_stored, struct buffer *reason);
};

struct database {
    const struct database_type *type;
    struct span argument; /* what stands behind the colon */
    struct span word;     /* all of it, for log lines without secrets: see database_name() */
    const struct conf_authd *settings;
    void *state; /* the type's own */
    bool is_open;
    bool decides_itself; /* set by load() */
    struct span
        data_path; /* set by load(): a file beside the one that the argument names; or empty */
    struct span load_error; /* empty: it is loaded */
    struct span model; /* a stored password of this database: what an unknown user is to cost */
    uint8_t model_bytes[512];
    bool keeps_model; /* the type chooses it; otherwise it is the last that was compared */
};

/* Every type that is built. */
extern const struct database_type *const database_types[];
extern const size_t database_type_count;

enum { DATABASES_MAX = 16 };

/* auth_databases, with its words in the arena. False: *bad_word is none. */
MUST_USE bool database_list_parse(const struct conf_authd *settings, struct arena *arena,
                                  struct database databases[DATABASES_MAX], size_t *count,
                                  struct span *bad_word);
/* "passwd-file:/path"; of one whose words are secret only the type. */
MUST_USE struct span database_name(const struct database *database);

/* The password is right or wrong, by the rules of credential.h. *name: of the app password that
 * matched. */
struct database_answer {
    enum credential_result result;
    struct span user; /* as the database writes it */
    struct span name;
    struct span verifier; /* of database_find() */
    struct buffer reason;
    struct buffer warning;
    bool is_upgraded; /* the stored password is another now */
};

/* Calls the type's load(). */
void database_load(struct database *database, struct arena *arena);

void database_check(struct database *database, const struct credential_question *question,
                    struct arena *arena, struct database_answer *answer);
/* Did that take what comparing takes? "!" and "*" lock an account (shadow(5)), at once. */
MUST_USE bool database_has_compared(const struct database *database, struct span stored,
                                    enum password_result result);
/* What comparing a password takes here, for a user who is unknown to every database. False: there
 * was none yet whose password could be compared. */
bool database_spend_time(const struct database *database,
                         const struct credential_question *question);
/* The stored password of the user itself that serves that scheme ("SCRAM-SHA-256", "PLAIN"), with
 * its {SCHEME}: of that scheme, or {PLAIN}. CREDENTIAL_MISMATCH: it has none. */
void database_find(struct database *database, const struct credential_question *question,
                   struct span scheme, struct arena *arena, struct database_answer *answer);

#endif
