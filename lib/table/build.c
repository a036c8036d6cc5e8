/* table/build - see build.h. */
#include "config.h"

#include "table/build_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/ascii.h"

enum { BUILD_COPY_BYTES = 64 * 1024, BUILD_LOCK_ATTEMPTS = 100 };

struct table_build {
    struct arena arena;
    const char *file;      /* NAME.db */
    const char *temporary; /* NAME.db.tmp */
    enum table_build_type type;
    unsigned flags;
    int temporary_descriptor; /* holds the lock among builders */
    int old_descriptor;       /* keeps Postfix's postmap out; -1: there was no file */
    struct stat old;
    const struct table_build_backend *backend;
    void *database;    /* the backend's */
    int error;         /* the backend's code */
    const char *words; /* for what is no backend's */
    bool has_temporary;
    struct buffer key;
    struct buffer value;
};

static const struct {
    const char *name;
    enum table_build_type type;
    const struct table_build_backend *backend;
} types[] = {{"hash", TABLE_BUILD_HASH, &table_build_berkeley},
             {"btree", TABLE_BUILD_BTREE, &table_build_berkeley},
#ifdef HAVE_CDB
             {"cdb", TABLE_BUILD_CDB, &table_build_cdb},
#endif
#ifdef HAVE_LMDB
             {"lmdb", TABLE_BUILD_LMDB, &table_build_lmdb}
#endif
};

bool table_build_find_type(struct span name, enum table_build_type *type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (span_equals(name, span_from_string(types[i].name))) {
            *type = types[i].type;
            return true;
        }
    return false;
}

static const struct table_build_backend *backend_of(enum table_build_type type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (types[i].type == type)
            return types[i].backend;
    return NULL;
}

/* Where NAME.db is a symbolic link, the file behind it is the one to replace. */
static bool set_names(struct table_build *build, const char *path)
{
    build->file =
        (const char *)arena_format(&build->arena, "%s%s%c", path, build->backend->suffix, '\0')
            .bytes;
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
    build->backend = backend_of(type);
    build->flags = flags;
    build->temporary_descriptor = build->old_descriptor = -1;
    if (build->backend && set_names(build, path))
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

static bool open_database(struct table_build *build)
{
    const bool has_content = (build->flags & TABLE_BUILD_INCREMENTAL) && build->old_descriptor >= 0;

    if (has_content && build->backend->is_constant) {
        build->words = "a table of this type cannot be changed, only built anew";
        return false;
    }
    if (has_content && !copy_old(build)) {
        build->words = strerror(errno);
        return false;
    }
    build->error = build->backend->open(&build->database, build->type, build->temporary,
                                        build->temporary_descriptor, has_content);
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
        buffer_append_format(error, "open database %s: %s", build->file, table_build_error(build));
    } else if (!set_owner_and_mode(build, mode)) {
        buffer_append_format(error, "set permissions of %s: %s", build->temporary, strerror(errno));
    } else {
        return build;
    }
    table_build_abandon(&build);
    return NULL;
}

/* Key or value as stored: folded, and with its NUL. */
static struct span stored(struct buffer *buffer, struct span span, bool fold, bool has_nul)
{
    buffer_reset(buffer);
    buffer_append_span(buffer, span);
    if (fold && buffer->length)
        ascii_lower_in_place(buffer->bytes, buffer->length);
    if (has_nul)
        buffer_append_byte(buffer, '\0');
    return buffer_span(buffer);
}

enum table_build_added table_build_add(struct table_build *build, struct span key,
                                       struct span value)
{
    const bool has_nul = !(build->flags & TABLE_BUILD_WITHOUT_NUL);
    enum table_build_added added = TABLE_BUILD_ADDED;
    const struct span stored_key =
        stored(&build->key, key, !(build->flags & TABLE_BUILD_KEEP_CASE), has_nul);
    const struct span stored_value = stored(&build->value, value, false, has_nul);

    build->words = NULL;
    if (!buffer_ok(&build->key) || !buffer_ok(&build->value)) {
        build->words = "key or value is too long";
        return TABLE_BUILD_FAILED;
    }
    build->error = build->backend->add(build->database, stored_key, stored_value,
                                       (build->flags & TABLE_BUILD_REPLACE) != 0, &added);
    if (build->error != 0)
        return TABLE_BUILD_FAILED;
    return added == TABLE_BUILD_DUPLICATE && (build->flags & TABLE_BUILD_IGNORE) ? TABLE_BUILD_ADDED
                                                                                 : added;
}

enum table_result table_build_delete(struct table_build *build, struct span key)
{
    enum table_result result = TABLE_NOT_FOUND;

    build->words = NULL;
    for (int has_nul = 1; has_nul >= 0; has_nul--) {
        const struct span stored_key =
            stored(&build->key, key, !(build->flags & TABLE_BUILD_KEEP_CASE), has_nul);
        bool was_there = false;
        if (!buffer_ok(&build->key))
            continue;
        build->error = build->backend->remove(build->database, stored_key, &was_there);
        if (build->error != 0)
            return TABLE_ERROR;
        if (was_there)
            result = TABLE_FOUND;
    }
    return result;
}

/* Ends the build; errno-like results are kept for the message. */
static void end(struct table_build **build)
{
    struct table_build *const ended = *build;

    *build = NULL;
    if (ended->database)
        (void)ended->backend->close(ended->database, true); /* of a file that goes away */
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
    void *const database = current->database;

    current->database = NULL;
    current->error = current->backend->close(database, false);
    if (current->error != 0)
        buffer_append_format(error, "close database %s: %s", current->file,
                             table_build_error(current));
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
    return build->words ? build->words : build->backend->error(build->error);
}

const char *table_build_file(const struct table_build *build)
{
    return build->file;
}
