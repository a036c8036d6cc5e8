/* table/name_service - unix:passwd.byname and unix:group.byname.
 * The name service may read files, or ask LDAP and wait: these tables are slow ones, asked only
 * where TABLE_MAY_BLOCK is set. The value is the line of passwd(5) or group(5). */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "table/table_private.h"

enum { NAME_SERVICE_FIRST_BYTES = 1024, NAME_SERVICE_MAX_BYTES = 1024 * 1024 };

struct name_service {
    /* getpwnam_r() or getgrnam_r(), the result as a line: 0, ERANGE or another error */
    int (*ask)(const char *name, char *memory, size_t size, bool *is_found, struct buffer *value);
};

static int ask_passwd(const char *name, char *memory, size_t size, bool *is_found,
                      struct buffer *value)
{
    struct passwd entry;
    struct passwd *found = NULL;
    const int result = getpwnam_r(name, &entry, memory, size, &found);

    *is_found = result == 0 && found;
    if (*is_found)
        buffer_append_format(value, "%s:%s:%lu:%lu:%s:%s:%s", found->pw_name, found->pw_passwd,
                             (unsigned long)found->pw_uid, (unsigned long)found->pw_gid,
                             found->pw_gecos, found->pw_dir, found->pw_shell);
    return result;
}

static int ask_group(const char *name, char *memory, size_t size, bool *is_found,
                     struct buffer *value)
{
    struct group entry;
    struct group *found = NULL;
    const int result = getgrnam_r(name, &entry, memory, size, &found);

    *is_found = result == 0 && found;
    if (!*is_found)
        return result;
    buffer_append_format(value, "%s:%s:%lu:", found->gr_name, found->gr_passwd,
                         (unsigned long)found->gr_gid);
    for (size_t i = 0; found->gr_mem && found->gr_mem[i]; i++)
        buffer_append_format(value, "%s%s", i > 0 ? "," : "", found->gr_mem[i]);
    return 0;
}

static bool unix_open(struct table *table, struct span argument)
{
    struct name_service *service = arena_alloc(&table->arena, sizeof(*service));
    if (!service)
        return false;
    table->state = service;
    if (span_equals(argument, span_from_string("passwd.byname")))
        service->ask = ask_passwd;
    else if (span_equals(argument, span_from_string("group.byname")))
        service->ask = ask_group;
    else
        table_fail(table, "unknown table: unix:%.*s", SPAN_PRINTF(span_first(argument, 100)));
    return service->ask != NULL;
}

static enum table_result unix_lookup(struct table *table, struct span key, struct buffer *value)
{
    const struct name_service *service = table->state;
    struct arena scratch;
    bool is_found = false;
    int error = ERANGE;

    /* No account has such a name, and the files behind are made of lines and colons. */
    if (key.length == 0 || span_find_byte(key, '\0') < key.length ||
        span_find_byte(key, '\n') < key.length || span_find_byte(key, ':') < key.length)
        return TABLE_NOT_FOUND;
    for (size_t size = NAME_SERVICE_FIRST_BYTES; error == ERANGE && size <= NAME_SERVICE_MAX_BYTES;
         size *= 4) {
        arena_init(&scratch, size + key.length + 64, 0);
        char *name = arena_string(&scratch, key);
        char *memory = arena_alloc(&scratch, size);
        error = name && memory ? service->ask(name, memory, size, &is_found, value) : ENOMEM;
        arena_destroy(&scratch);
    }
    if (is_found)
        return TABLE_FOUND;
    /* 0 and ESRCH say that there is no such name. Others, ENOENT among them, come from services
     * that could not be asked, and mail for an existing user is not to be refused then. */
    if (error == 0 || error == ESRCH)
        return TABLE_NOT_FOUND;
    table_fail(table, "%.*s: %s", SPAN_PRINTF(table->name), strerror(error));
    return TABLE_ERROR;
}

const struct table_kind table_kind_unix = {
    .type = "unix", .is_slow = true, .open = unix_open, .lookup = unix_lookup};
