/* authd/db_passwd_file - passwd-file:/path, in Dovecot's format.
 * The file is held in memory and read anew when it has changed. It belongs to the administrator,
 * who gives authd's user the right to read it, and with auth_password_upgrade to write its
 * directory. */
#include "db_types.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "passwd_line.h"
#include "system/file.h"

enum { FILE_MAX_BYTES = 64 << 20 };

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

/* What unknown users are to cost is what the first user of the file costs. */
static void note_model(struct database *database, struct span contents)
{
    struct span line, user, bad_field;
    struct account account;
    while (contents.length > 0) {
        (void)span_split_once(contents, '\n', &line, &contents);
        if (passwd_line_user(line, &user) &&
            passwd_line_parse(line, &account, &bad_field) == PARSE_OK && account.password_count) {
            database_set_model(database, account.passwords[0].stored);
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
    (void)arena; /* texts stay in the file's memory until the next question */
    if (!load(database, reason))
        return DATABASE_ERROR;
    if (!passwd_file_find(file->contents, user, &line))
        return DATABASE_NOT_FOUND;
    if (passwd_line_parse(line, account, &bad_field) == PARSE_OK)
        return DATABASE_FOUND;
    struct span key, value;
    (void)span_split_once(bad_field, '=', &key, &value);
    buffer_append_format(reason, "%s: user %.*s: cannot understand the field %.*s", file->path,
                         SPAN_PRINTF(user), SPAN_PRINTF(key));
    return DATABASE_ERROR;
}

const struct database_type database_passwd_file = {
    .name = "passwd-file", .kind = DATABASE_OF_FILES, .open = open_file, .look_up = look_up};
