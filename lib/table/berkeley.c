/* table/berkeley - hash:FILE and btree:FILE, Berkeley DB files FILE.db as postmap makes them.
 * postmap of this package replaces the file by renaming; Postfix's rewrites it in place under an
 * exclusive flock(). Both are seen: every lookup holds a shared lock on the file and first
 * compares what stands under the name with what was opened. */
#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "table/berkeley.h"
#include "table/berkeley_pages.h"
#include "table/table_private.h"

enum { BERKELEY_OPEN_ATTEMPTS = 20, BERKELEY_READ_CACHE_BYTES = 128 * 1024 };

struct berkeley {
    DBTYPE type;
    DB *database;   /* NULL: not open */
    int descriptor; /* the same file, for the locks */
    struct file_identity identity;
    bool has_settled; /* TABLE_STAY_OPEN: no lock is taken any more */
};

static bool berkeley_open(struct table *table, struct span argument, DBTYPE type)
{
    struct berkeley *berkeley = arena_alloc(&table->arena, sizeof(*berkeley));
    const struct span file = arena_format(&table->arena, "%.*s.db%c", SPAN_PRINTF(argument), '\0');

    table->state = berkeley;
    if (!berkeley || !file.bytes)
        return false;
    table->file = (const char *)file.bytes;
    berkeley->type = type;
    berkeley->descriptor = -1;
    return true;
}

static bool hash_open(struct table *table, struct span argument)
{
    return berkeley_open(table, argument, DB_HASH);
}

static bool btree_open(struct table *table, struct span argument)
{
    return berkeley_open(table, argument, DB_BTREE);
}

static void shut(struct berkeley *berkeley)
{
    if (berkeley->database)
        (void)berkeley->database->close(berkeley->database, DB_NOSYNC); /* only read */
    if (berkeley->descriptor >= 0)
        (void)close(berkeley->descriptor);
    berkeley->database = NULL;
    berkeley->descriptor = -1;
}

static enum table_result lock(struct table *table, int descriptor)
{
    const int block = table->options.flags & TABLE_MAY_BLOCK ? 0 : LOCK_NB;
    int result;

    do
        result = flock(descriptor, LOCK_SH | block);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return TABLE_FOUND;
    if (errno == EWOULDBLOCK)
        return TABLE_WOULD_BLOCK; /* postmap at work: it may take a while */
    table_fail(table, "lock %s: %s", table->file, strerror(errno));
    return TABLE_ERROR;
}

static void unlock(const struct table *table)
{
    const struct berkeley *berkeley = table->state;
    if (!berkeley->has_settled)
        (void)flock(berkeley->descriptor, LOCK_UN); /* cannot fail on a lock that is held */
}

/* Is the file below the name still the one that we have open and locked? */
static bool is_current(const struct table *table, const struct berkeley *berkeley)
{
    struct stat status;
    if (stat(table->file, &status) != 0)
        return false;
    const struct file_identity now = file_identity_of(&status);
    return file_identity_equals(&berkeley->identity, &now);
}

int berkeley_create(DB **database, size_t cache_bytes)
{
    const int result = db_create(database, NULL, 0);
    if (result != 0)
        return result;
    (*database)->set_errcall(*database, berkeley_ignore_message);
    return (*database)->set_cachesize(*database, 0, (uint32_t)cache_bytes, 0);
}

void berkeley_ignore_message(const DB_ENV *environment UNUSED, const char *prefix UNUSED,
                             const char *message UNUSED)
{
    /* The code that the call returns says enough, and standard error may be anything. */
}

/* DB_NOMMAP: Postfix truncates a table that it rebuilds, under a mapping that would be the end.
 * With the lock held on descriptor. *is_other: the name now stands for another file. */
static bool open_database(struct table *table, struct berkeley *berkeley, bool *is_other)
{
    struct stat ours;
    struct stat theirs;
    int their_descriptor;

    if (fstat(berkeley->descriptor, &ours) != 0) {
        table_fail(table, "open database %s: %s", table->file, strerror(errno));
        return false;
    }
    if (!S_ISREG(ours.st_mode)) {
        table_fail(table, "open database %s: not a regular file", table->file);
        return false;
    }
    int result = berkeley_create(&berkeley->database, BERKELEY_READ_CACHE_BYTES);
    if (result == 0)
        result = berkeley->database->open(berkeley->database, NULL, table->file, NULL,
                                          berkeley->type, DB_RDONLY | DB_NOMMAP, 0);
    if (result == 0)
        result = berkeley->database->fd(berkeley->database, &their_descriptor);
    if (result == 0 && fstat(their_descriptor, &theirs) != 0)
        result = errno;
    if (result != 0) {
        table_fail(table, "open database %s: %s", table->file, db_strerror(result));
        *is_other = result == ENOENT;
        return false;
    }
    const char *fault = berkeley_find_missing_page(berkeley->descriptor, ours.st_size);
    if (fault) {
        table_fail(table, "open database %s: %s", table->file, fault);
        return false;
    }
    *is_other = ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino;
    berkeley->identity = file_identity_of(&ours);
    return !*is_other;
}

/* Opens and locks whatever file stands under the name. */
static enum table_result open_locked(struct table *table)
{
    struct berkeley *berkeley = table->state;

    for (int attempt = 0; attempt < BERKELEY_OPEN_ATTEMPTS; attempt++) {
        bool is_other = false;
        berkeley->descriptor = open(table->file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (berkeley->descriptor < 0) {
            table_fail(table, "open database %s: %s", table->file, strerror(errno));
            return TABLE_ERROR;
        }
        const enum table_result locked = lock(table, berkeley->descriptor);
        if (locked == TABLE_FOUND && open_database(table, berkeley, &is_other))
            return TABLE_FOUND;
        shut(berkeley);
        if (!is_other)
            return locked == TABLE_FOUND ? TABLE_ERROR : locked;
    }
    table_fail(table, "open database %s: it is being replaced again and again", table->file);
    return TABLE_ERROR;
}

/* On TABLE_FOUND the current file is open and locked; the caller unlocks. */
static enum table_result acquire(struct table *table)
{
    struct berkeley *berkeley = table->state;

    if (berkeley->database && berkeley->has_settled)
        return TABLE_FOUND;
    if (berkeley->database) {
        const enum table_result locked = lock(table, berkeley->descriptor);
        if (locked != TABLE_FOUND)
            return locked;
        if (is_current(table, berkeley))
            return TABLE_FOUND;
        shut(berkeley);
    }
    return open_locked(table);
}

static enum table_result berkeley_prepare(struct table *table)
{
    const enum table_result result = acquire(table);
    if (result == TABLE_FOUND)
        unlock(table);
    if (result == TABLE_FOUND && table->options.flags & TABLE_STAY_OPEN)
        ((struct berkeley *)table->state)->has_settled = true;
    return result;
}

DBT berkeley_thing(struct span span)
{
    DBT thing;
    memset(&thing, 0, sizeof(thing));
    memcpy(&thing.data, &span.bytes, sizeof(thing.data)); /* it is const there, and not here */
    thing.size = (uint32_t)span.length;
    return thing;
}

static struct span span_from_dbt(const DBT *thing, bool has_nul)
{
    struct span span = span_of(thing->data, thing->size);
    if (has_nul && span.length && span.bytes[span.length - 1] == '\0')
        span.length--;
    return span;
}

static enum table_result get(struct table *table, struct span key, bool has_nul,
                             struct buffer *value)
{
    struct berkeley *berkeley = table->state;
    DBT wanted = berkeley_thing(key);
    DBT found;

    memset(&found, 0, sizeof(found));
    const int result = berkeley->database->get(berkeley->database, NULL, &wanted, &found, 0);
    if (result == DB_NOTFOUND)
        return TABLE_NOT_FOUND;
    if (result != 0) {
        table_fail(table, "read database %s: %s", table->file, db_strerror(result));
        return TABLE_ERROR;
    }
    buffer_append_span(value, span_from_dbt(&found, has_nul));
    return TABLE_FOUND;
}

static enum table_result get_in_either_form(struct table *table, struct span key,
                                            struct buffer *value)
{
    const unsigned flags = table->options.flags;
    uint8_t with_nul[TABLE_KEY_MAX_BYTES + 1];
    enum table_result result = TABLE_NOT_FOUND;

    if (!(flags & TABLE_WITHOUT_NUL) || (flags & TABLE_WITH_NUL)) {
        if (key.length)
            memcpy(with_nul, key.bytes, key.length);
        with_nul[key.length] = '\0';
        result = get(table, span_of(with_nul, key.length + 1), true, value);
    }
    if (result == TABLE_NOT_FOUND && !(flags & TABLE_WITH_NUL))
        result = get(table, key, false, value);
    return result;
}

static enum table_result berkeley_lookup(struct table *table, struct span key, struct buffer *value)
{
    struct berkeley *berkeley = table->state;
    enum table_result result = acquire(table);

    if (result != TABLE_FOUND)
        return result;
    result = get_in_either_form(table, key, value);
    unlock(table);
    if (result == TABLE_ERROR && !berkeley->has_settled)
        shut(berkeley); /* the next lookup begins afresh */
    return result;
}

static enum table_result
berkeley_walk(struct table *table, bool (*visit)(void *context, struct span key, struct span value),
              void *context)
{
    struct berkeley *berkeley = table->state;
    enum table_result result = acquire(table);
    DBC *cursor;
    DBT key;
    DBT value;

    if (result != TABLE_FOUND)
        return result;
    memset(&key, 0, sizeof(key));
    memset(&value, 0, sizeof(value));
    int code = berkeley->database->cursor(berkeley->database, NULL, &cursor, 0);
    if (code == 0) {
        while ((code = cursor->get(cursor, &key, &value, DB_NEXT)) == 0)
            if (!visit(context, span_from_dbt(&key, true), span_from_dbt(&value, true)))
                break;
        (void)cursor->close(cursor); /* only read */
    }
    if (code != 0 && code != DB_NOTFOUND) {
        table_fail(table, "read database %s: %s", table->file, db_strerror(code));
        result = TABLE_ERROR;
    }
    unlock(table);
    return result;
}

static void berkeley_close(struct table *table)
{
    struct berkeley *berkeley = table->state;
    if (berkeley)
        shut(berkeley);
}

const struct table_kind table_kind_hash = {.type = "hash",
                                           .open = hash_open,
                                           .lookup = berkeley_lookup,
                                           .walk = berkeley_walk,
                                           .prepare = berkeley_prepare,
                                           .close = berkeley_close};
const struct table_kind table_kind_btree = {.type = "btree",
                                            .open = btree_open,
                                            .lookup = berkeley_lookup,
                                            .walk = berkeley_walk,
                                            .prepare = berkeley_prepare,
                                            .close = berkeley_close};
