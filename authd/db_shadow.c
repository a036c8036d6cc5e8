/* authd/db_shadow - shadow: the system's accounts, by getspnam(3). Their workers stay root, to
 * read what only root may, behind a filter that lets them do nothing else. */
#include "db_types.h"

#include <errno.h>
#include <shadow.h>

#include "system/clock.h"

enum { ENTRY_MAX_BYTES = 4096, SECONDS_PER_DAY = 86400 };

static bool is_expired(const struct spwd *entry, long today)
{
    if (entry->sp_expire >= 0 && today >= entry->sp_expire)
        return true;
    if (entry->sp_lstchg == 0)
        return true; /* the password is to be changed at the next login */
    return entry->sp_max >= 0 && entry->sp_lstchg > 0 && entry->sp_inact >= 0 &&
           today > entry->sp_lstchg + entry->sp_max + entry->sp_inact;
}

static enum database_result look_up(struct database *database UNUSED, struct span user,
                                    struct arena *arena, struct account *account,
                                    struct buffer *reason)
{
    const char *name = arena_string(arena, user);
    char *text = arena_alloc(arena, ENTRY_MAX_BYTES);
    struct spwd entry, *found = NULL;
    if (!name || !text) {
        buffer_append_string(reason, "memory is out");
        return DATABASE_ERROR;
    }
    if (span_find_byte(user, '\0') < user.length)
        return DATABASE_NOT_FOUND;
    const int error = getspnam_r(name, &entry, text, ENTRY_MAX_BYTES, &found);
    if (!found && error != 0 && error != ENOENT) {
        buffer_append_format(reason, "cannot read the system's accounts: %s", strerror(error));
        return DATABASE_ERROR;
    }
    if (!found)
        return DATABASE_NOT_FOUND;
    *account = (struct account){.user = span_empty(), .allow_nets = span_empty()};
    const struct span stored = span_from_string(entry.sp_pwdp);
    account->is_expired =
        is_expired(&entry, (long)(clock_realtime_us() / 1000000) / SECONDS_PER_DAY);
    if (stored.length == 0)
        return DATABASE_FOUND; /* without a password: not from the network */
    account->passwords[0] = (struct account_password){
        arena_format(arena, "{CRYPT}%.*s", SPAN_PRINTF(stored)), span_empty(), span_empty()};
    if (!account->passwords[0].stored.bytes) {
        buffer_append_string(reason, "memory is out");
        return DATABASE_ERROR;
    }
    account->password_count = 1;
    return DATABASE_FOUND;
}

const struct database_type database_shadow = {
    .name = "shadow", .kind = DATABASE_OF_SHADOW, .look_up = look_up};
