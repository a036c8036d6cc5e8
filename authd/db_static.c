/* authd/db_static - static:user:password, one account in main.cf itself: for tests and appliances.
 * The password may have a {SCHEME}. */
#include "db_types.h"

static enum database_result look_up(struct database *database, struct span user,
                                    struct arena *arena, struct account *account,
                                    struct buffer *reason)
{
    struct span name, password;
    (void)arena;
    if (!span_split_once(database->argument, ':', &name, &password)) {
        buffer_append_string(reason, "static: wants user:password");
        return DATABASE_ERROR;
    }
    database_set_model(database, password);
    if (!span_equals(name, user))
        return DATABASE_NOT_FOUND;
    *account = (struct account){.user = span_empty(), .allow_nets = span_empty()};
    account->passwords[account->password_count++] =
        (struct account_password){password, span_empty(), span_empty()};
    return DATABASE_FOUND;
}

const struct database_type database_static = {
    .name = "static", .kind = DATABASE_OF_FILES, .look_up = look_up};
