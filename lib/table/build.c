/* table/build - see build.h. */
#include "table/build.h"

#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/ascii.h"
#include "table/berkeley.h"

enum {
    BUILD_CACHE_BYTES = 16 * 1024 * 1024,
    BUILD_COPY_BYTES = 64 * 1024,
    BUILD_LOCK_ATTEMPTS = 100,
    BUILD_HASH_ELEMENTS = 4096 /* what Postfix tells the library to expect */
};

struct table_build {
    struct arena arena;
    const char *file;      /* NAME.db */
    const char *temporary; /* NAME.db.tmp */
    enum table_build_type type;
    unsigned flags;
    int temporary_descriptor; /* holds the lock among builders */
    int old_descriptor;       /* keeps Postfix's postmap out; -1: there was no file */
    struct stat old;
    DB *database;
    int error; /* errno or the library's code */
    bool has_temporary;
    struct buffer key;
    struct buffer value;
};

/* Where NAME.db is a symbolic link, the file behind it is the one to replace. */
static bool set_names(struct table_build *build, const char *path)
{
    build->file = (const char *)arena_format(&build->arena, "%s.db%c", path, '\0').bytes;
    char *resolved = build->file ? realpath(build->file, NULL) : NULL;
    if (resolved) {
        build->file = arena_string(&build->arena, span_from_string(resolved));
        free(resolved);
    }
    if (!build->file)
        return false;
    build->temporary =
        (const char *)arena_format(&build->arena, "%s.tmp%c", build->file, '\0').bytes;
    return build->temporary != NULL;
}

static struct table_build *create(enum table_build_type type, const char *path, unsigned flags)
{
    struct table_build *build = calloc(1, sizeof(*build));
    if (!build)
        return NULL;
    arena_init(&build->arena, 4 * PATH_MAX, 0);
    buffer_init(&build->key, NULL, TABLE_KEY_MAX_BYTES + 1);
    buffer_init(&build->value, NULL, TABLE_VALUE_MAX_BYTES + 1);
    build->type = type;
    build->flags = flags;
    build->temporary_descriptor = build->old_descriptor = -1;
    if (set_names(build, path))
        return build;
    table_build_abandon(&build);
    return NULL;
}

/* Waiting goes on after a signal. */
static bool lock_file(int descriptor, int operation)
{
    int result;
    do
        result = flock(descriptor, operation);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* Does the name still stand for the open file? */
static bool is_same_file(const char *name, int descriptor)
{
    struct stat named;
    struct stat opened;
    return lstat(name, &named) == 0 && fstat(descriptor, &opened) == 0 &&
           named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

/* The lock is on an inode and another builder renames it away: lock, then look whether it is still
 * there. O_NOFOLLOW, because a symbolic link of that name would be somebody's trap. */
static bool lock_temporary(struct table_build *build)
{
    for (int attempt = 0; attempt < BUILD_LOCK_ATTEMPTS; attempt++) {
        build->temporary_descriptor =
            open(build->temporary, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
        if (build->temporary_descriptor < 0)
            return false;
        if (!lock_file(build->temporary_descriptor, LOCK_EX))
            return false;
        if (is_same_file(build->temporary, build->temporary_descriptor)) {
            build->has_temporary = true;
            return ftruncate(build->temporary_descriptor, 0) == 0;
        }
        (void)close(build->temporary_descriptor); /* somebody else's by now */
        build->temporary_descriptor = -1;
    }
    errno = EBUSY;
    return false;
}

/* Postfix's postmap may be rewriting the file: wait for it, and keep it waiting. Readers are not
 * kept waiting: this file does not change any more. */
static bool lock_old(struct table_build *build)
{
    build->old_descriptor = open(build->file, O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (build->old_descriptor < 0)
        return errno == ENOENT && !(build->flags & TABLE_BUILD_MUST_EXIST);
    return lock_file(build->old_descriptor, LOCK_SH) &&
           fstat(build->old_descriptor, &build->old) == 0;
}

/* All of the old file's bytes into the new one. */
static bool copy_old(struct table_build *build)
{
    struct buffer chunk;
    off_t offset = 0;
    bool is_copied = false;

    buffer_init(&chunk, NULL, BUILD_COPY_BYTES);
    uint8_t *room = buffer_reserve(&chunk, BUILD_COPY_BYTES);
    while (room) {
        const ssize_t count = pread(build->old_descriptor, room, BUILD_COPY_BYTES, offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            is_copied = count == 0;
            break;
        }
        const ssize_t written = pwrite(build->temporary_descriptor, room, (size_t)count, offset);
        if (written <= 0)
            break;
        offset += written; /* a short write is read again from there */
    }
    buffer_release(&chunk);
    return is_copied;
}

/* The database library goes by names, so it opens the copy once more; the lock stays ours. */
static bool open_database(struct table_build *build)
{
    const bool has_content = (build->flags & TABLE_BUILD_INCREMENTAL) && build->old_descriptor >= 0;
    if (has_content && !copy_old(build)) {
        build->error = errno;
        return false;
    }
    build->error = berkeley_create(&build->database, BUILD_CACHE_BYTES);
    if (build->error == 0 && build->type == TABLE_BUILD_HASH && !has_content)
        build->error = build->database->set_h_nelem(build->database, BUILD_HASH_ELEMENTS);
    if (build->error == 0)
        build->error = build->database->open(build->database, NULL, build->temporary, NULL,
                                             build->type == TABLE_BUILD_HASH ? DB_HASH : DB_BTREE,
                                             has_content ? 0 : DB_CREATE | DB_TRUNCATE, 0600);
    return build->error == 0;
}

/* An existing table keeps its owner and mode. As an ordinary user the owner cannot be kept. */
static bool set_owner_and_mode(struct table_build *build, mode_t mode)
{
    if (build->old_descriptor >= 0) {
        mode = build->old.st_mode & 0777;
        if (fchown(build->temporary_descriptor, build->old.st_uid, build->old.st_gid) != 0 &&
            errno != EPERM)
            return false;
    }
    return fchmod(build->temporary_descriptor, mode) == 0;
}

struct table_build *table_build_begin(enum table_build_type type, const char *path, unsigned flags,
                                      mode_t mode, struct buffer *error)
{
    struct table_build *build = create(type, path, flags);
    const char *name = NULL;

    if (!build) {
        buffer_append_string(error, "memory is out");
        return NULL;
    }
    if (!lock_temporary(build))
        name = build->temporary;
    else if (!lock_old(build))
        name = build->file;
    if (name) {
        buffer_append_format(error, "open database %s: %s", name, strerror(errno));
    } else if (!open_database(build)) {
        buffer_append_format(error, "open database %s: %s", build->file, db_strerror(build->error));
    } else if (!set_owner_and_mode(build, mode)) {
        buffer_append_format(error, "set permissions of %s: %s", build->temporary, strerror(errno));
    } else {
        return build;
    }
    table_build_abandon(&build);
    return NULL;
}

/* Key or value as stored: folded, and with its NUL. */
static DBT stored(struct buffer *buffer, struct span span, bool fold, bool has_nul)
{
    DBT thing;

    buffer_reset(buffer);
    buffer_append_span(buffer, span);
    if (fold && buffer->length)
        ascii_lower_in_place(buffer->bytes, buffer->length);
    if (has_nul)
        buffer_append_byte(buffer, '\0');
    memset(&thing, 0, sizeof(thing));
    thing.data = buffer->bytes;
    thing.size = (uint32_t)buffer->length;
    return thing;
}

enum table_build_added table_build_add(struct table_build *build, struct span key,
                                       struct span value)
{
    const bool has_nul = !(build->flags & TABLE_BUILD_WITHOUT_NUL);
    DBT stored_key = stored(&build->key, key, !(build->flags & TABLE_BUILD_KEEP_CASE), has_nul);
    DBT stored_value = stored(&build->value, value, false, has_nul);

    build->error = buffer_ok(&build->key) && buffer_ok(&build->value) ? 0 : E2BIG;
    if (build->error == 0)
        build->error =
            build->database->put(build->database, NULL, &stored_key, &stored_value,
                                 build->flags & TABLE_BUILD_REPLACE ? 0 : DB_NOOVERWRITE);
    if (build->error == DB_KEYEXIST)
        return build->flags & TABLE_BUILD_IGNORE ? TABLE_BUILD_ADDED : TABLE_BUILD_DUPLICATE;
    return build->error == 0 ? TABLE_BUILD_ADDED : TABLE_BUILD_FAILED;
}

enum table_result table_build_delete(struct table_build *build, struct span key)
{
    enum table_result result = TABLE_NOT_FOUND;

    for (int has_nul = 1; has_nul >= 0; has_nul--) {
        DBT stored_key = stored(&build->key, key, !(build->flags & TABLE_BUILD_KEEP_CASE), has_nul);
        build->error = buffer_ok(&build->key)
                           ? build->database->del(build->database, NULL, &stored_key, 0)
                           : DB_NOTFOUND;
        if (build->error == 0)
            result = TABLE_FOUND;
        else if (build->error != DB_NOTFOUND)
            return TABLE_ERROR;
    }
    return result;
}

/* Ends the build; errno-like results are kept for the message. */
static void end(struct table_build **build)
{
    struct table_build *const ended = *build;

    *build = NULL;
    if (ended->database)
        (void)ended->database->close(ended->database, DB_NOSYNC); /* of a file that goes away */
    if (ended->has_temporary)
        (void)unlink(ended->temporary); /* the next builder empties it anyhow */
    if (ended->temporary_descriptor >= 0)
        (void)close(ended->temporary_descriptor);
    if (ended->old_descriptor >= 0)
        (void)close(ended->old_descriptor);
    buffer_release(&ended->key);
    buffer_release(&ended->value);
    arena_destroy(&ended->arena);
    free(ended);
}

bool table_build_commit(struct table_build **build, struct buffer *error)
{
    struct table_build *const current = *build;
    DB *const database = current->database;

    current->database = NULL;
    current->error = database->close(database, 0); /* writes what is cached */
    if (current->error != 0)
        buffer_append_format(error, "close database %s: %s", current->file,
                             db_strerror(current->error));
    else if (fsync(current->temporary_descriptor) != 0 ||
             rename(current->temporary, current->file) != 0)
        buffer_append_format(error, "replace database %s: %s", current->file, strerror(errno));
    else
        current->has_temporary = false;
    const bool is_committed = !current->has_temporary;
    end(build);
    return is_committed;
}

void table_build_abandon(struct table_build **build)
{
    if (*build)
        end(build);
}

const char *table_build_error(const struct table_build *build)
{
    return build->error == E2BIG ? "key or value is too long" : db_strerror(build->error);
}

const char *table_build_file(const struct table_build *build)
{
    return build->file;
}
