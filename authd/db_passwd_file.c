/* authd/db_passwd_file - passwd-file:/path, in Dovecot's format.
 * The file is held in memory and read anew when it has changed. It belongs to the administrator,
 * who gives authd's user the right to read it, and with auth_password_upgrade to write its
 * directory. */
#include "db_types.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/passwd_line.h"
#include "system/file.h"

enum { FILE_MAX_BYTES = 64 << 20, MODEL_TRIES = 8 };

struct passwd_file {
    char *path;
    struct stat stat; /* of what is held */
    struct arena arena;
    struct span contents;
    bool is_loaded;
};

static bool open_file(struct database *database, struct buffer *reason)
{
    struct passwd_file *file = calloc(1, sizeof(*file));
    char *path = strndup((const char *)database->argument.bytes, database->argument.length);
    if (!file || !path) {
        free(file);
        free(path);
        buffer_append_string(reason, "memory is out");
        return false;
    }
    file->path = path;
    arena_init(&file->arena, FILE_MAX_BYTES + 1024, ARENA_WIPE);
    database->state = file;
    return true;
}

static bool is_same(const struct stat *left, const struct stat *right)
{
    return left->st_dev == right->st_dev && left->st_ino == right->st_ino &&
           left->st_size == right->st_size && left->st_mtim.tv_sec == right->st_mtim.tv_sec &&
           left->st_mtim.tv_nsec == right->st_mtim.tv_nsec;
}

/* What unknown users are to cost is what the first user of the file costs who has a password that
 * can be compared; few lines are tried, each of which takes its time. */
static void note_model(struct database *database, struct span contents)
{
    struct span line, user, bad_field;
    struct account account;
    size_t tries = 0;
    while (contents.length > 0 && tries < MODEL_TRIES) {
        (void)span_split_once(contents, '\n', &line, &contents);
        if (passwd_line_user(line, &user) &&
            passwd_line_parse(line, &account, &bad_field) == PARSE_OK && account.password_count) {
            tries++;
            const struct span stored = account.passwords[0].stored;
            if (!database_has_compared(database, stored,
                                       password_verify(stored,
                                                       database->settings->auth_default_scheme,
                                                       user, span_empty())))
                continue;
            database_set_model(database, stored);
            database->keeps_model = true;
            return;
        }
    }
}

static bool load(struct database *database, struct buffer *reason)
{
    struct passwd_file *file = database->state;
    struct stat now;
    if (stat(file->path, &now) == 0) {
        if (file->is_loaded && is_same(&now, &file->stat))
            return true;
        arena_reset(&file->arena);
        file->is_loaded = false;
        if (file_read_whole(AT_FDCWD, file->path, FILE_MAX_BYTES, &file->arena, &file->contents) ==
            0) {
            file->is_loaded = true;
            file->stat = now;
            note_model(database, file->contents);
            return true;
        }
    }
    buffer_append_format(reason, "cannot read %s: %s", file->path, strerror(errno));
    return false;
}

static enum database_result look_up(struct database *database, struct span user,
                                    struct arena *arena, struct account *account,
                                    struct buffer *reason)
{
    struct passwd_file *file = database->state;
    struct span line, bad_field;
    if (!load(database, reason))
        return DATABASE_ERROR;
    if (!passwd_file_find(file->contents, user, &line))
        return DATABASE_NOT_FOUND;
    /* store() reads the file anew while the answer is still wanted. */
    line = arena_copy(arena, line);
    if (!line.bytes) {
        buffer_append_string(reason, "memory is out");
        return DATABASE_ERROR;
    }
    if (passwd_line_parse(line, account, &bad_field) == PARSE_OK)
        return DATABASE_FOUND;
    struct span key, value;
    (void)span_split_once(bad_field, '=', &key, &value);
    buffer_append_format(reason, "%s: user %.*s: cannot understand the field %.*s", file->path,
                         SPAN_PRINTF(user), SPAN_PRINTF(key));
    return DATABASE_ERROR;
}

/* The new contents under another name, as the old file was, and renamed. */
static bool write_file(const struct passwd_file *file, const char *temporary, struct span contents,
                       struct buffer *reason)
{
    const int descriptor =
        open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool is_written = false;
    if (descriptor < 0) {
        buffer_append_format(reason, "%s: %s", temporary, strerror(errno));
        return false;
    }
    struct stat made;
    /* Who owns it decides who may read it: where that cannot be kept nothing is changed. */
    if (fstat(descriptor, &made) == 0 && made.st_uid == file->stat.st_uid &&
        fchmod(descriptor, file->stat.st_mode & 07777) == 0 &&
        (made.st_gid == file->stat.st_gid ||
         fchown(descriptor, (uid_t)-1, file->stat.st_gid) == 0) &&
        file_pwrite_all(descriptor, contents.bytes, contents.length, 0) == 0 &&
        fsync(descriptor) == 0 && rename(temporary, file->path) == 0)
        is_written = true;
    else if (made.st_uid != file->stat.st_uid)
        buffer_append_format(reason, "%s must belong to the user that authd runs as", file->path);
    else
        buffer_append_format(reason, "%s: %s", temporary, strerror(errno));
    file_close(descriptor);
    if (!is_written)
        (void)unlink(temporary);
    return is_written;
}

/* One worker at a time, by a lock on the directory; and from what is there now. */
static bool store(struct database *database, struct span user, struct span old_stored,
                  struct span new_stored, struct buffer *reason)
{
    struct passwd_file *file = database->state;
    const size_t slash = span_find_last_byte(database->argument, '/');
    struct arena arena;
    struct buffer contents;
    bool is_stored = false;
    arena_init(&arena, 65536, 0);
    const struct span temporary = arena_format(&arena, "%s.authd-new", file->path);
    const char *directory = arena_string(&arena, slash < database->argument.length
                                                     ? span_first(database->argument, slash + 1)
                                                     : SPAN("."));
    const char *name = temporary.bytes ? arena_string(&arena, temporary) : NULL;
    const int lock = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    buffer_init(&contents, NULL, FILE_MAX_BYTES);
    if (!name || lock < 0 || flock(lock, LOCK_EX) != 0) {
        buffer_append_format(reason, "cannot lock the directory of %s: %s", file->path,
                             strerror(errno));
    } else {
        (void)unlink(name); /* of one that died */
        file->is_loaded = false;
        /* The old text may lie in what is read anew now. */
        const struct span old_copy = arena_copy(&arena, old_stored);
        const struct span user_copy = arena_copy(&arena, user);
        if (!load(database, reason))
            ;
        else if (!old_copy.bytes || !user_copy.bytes ||
                 passwd_file_replace(file->contents, user_copy, old_copy, new_stored, &contents) !=
                     PARSE_OK)
            buffer_append_string(reason, "it has changed meanwhile");
        else
            is_stored = write_file(file, name, buffer_span(&contents), reason);
    }
    file_close(lock);
    if (contents.bytes)
        OPENSSL_cleanse(contents.bytes, contents.length);
    buffer_release(&contents);
    arena_destroy(&arena);
    return is_stored;
}

const struct database_type database_passwd_file = {.name = "passwd-file",
                                                   .kind = DATABASE_OF_FILES,
                                                   .open = open_file,
                                                   .look_up = look_up,
                                                   .store = store};
