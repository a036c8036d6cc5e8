/* local/owner - see owner.h. */
#include "owner.h"

#include "address/mailbox.h"
#include "base/number.h"
#include "table/address_lookup.h"
#include "table/list.h"

enum { ID_TEXT_MAX_BYTES = 64 };

struct look_up {
    struct table_list *list;
    struct buffer value;
};

static bool is_static(struct span maps)
{
    struct span first, second;
    return span_next_word(&maps, ", \t\r\n", &first) &&
           !span_next_word(&maps, ", \t\r\n", &second) &&
           span_equals(span_first(first, 7), SPAN("static:"));
}

bool owner_is_static(const struct conf_virtual *settings)
{
    return is_static(settings->virtual_uid_maps) && is_static(settings->virtual_gid_maps);
}

static enum table_result try_key(void *context, struct span key)
{
    struct look_up *look_up = context;
    return table_list_lookup(look_up->list, key, &look_up->value);
}

static enum table_result find(struct look_up *look_up, const struct conf_virtual *settings,
                              struct span recipient, struct arena *arena)
{
    struct mailbox mailbox;
    if (mailbox_parse(recipient, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, arena, &mailbox) != PARSE_OK)
        return TABLE_NOT_FOUND;
    const struct table_address address = {.local_part = mailbox.local_part,
                                          .domain = mailbox.domain,
                                          .recipient_delimiter = settings->recipient_delimiter};
    return table_address_lookup(&address, TABLE_ADDRESS_MAILBOX, try_key, look_up, arena, NULL);
}

static enum owner_result look_up_id(const struct conf_virtual *settings, struct table_list *list,
                                    struct span recipient, struct arena *arena, uint64_t *id,
                                    struct span *error)
{
    struct look_up look_up = {.list = list};
    enum owner_result result = OWNER_ERROR;
    buffer_init(&look_up.value, NULL, ID_TEXT_MAX_BYTES);
    switch (find(&look_up, settings, recipient, arena)) {
    case TABLE_FOUND:
        result = buffer_ok(&look_up.value) &&
                         number_parse_uint64(span_trim_spaces(buffer_span(&look_up.value)),
                                             INT32_MAX, id)
                     ? OWNER_FOUND
                     : OWNER_MALFORMED;
        break;
    case TABLE_NOT_FOUND:
        result = OWNER_ABSENT;
        break;
    case TABLE_ERROR:
    case TABLE_WOULD_BLOCK:
        *error = arena_copy(arena, table_list_error(look_up.list));
        break;
    }
    buffer_release(&look_up.value);
    return result;
}

bool owner_open(const struct conf_virtual *settings, struct owner_tables *tables)
{
    const struct table_options options = {.flags = TABLE_MAY_BLOCK};
    *tables = (struct owner_tables){.settings = settings,
                                    .uids = table_list_open(settings->virtual_uid_maps, &options),
                                    .gids = table_list_open(settings->virtual_gid_maps, &options)};
    if (tables->uids && tables->gids)
        return true;
    owner_close(tables);
    return false;
}

void owner_close(struct owner_tables *tables)
{
    table_list_close(&tables->uids);
    table_list_close(&tables->gids);
}

enum owner_result owner_find(const struct owner_tables *tables, struct span recipient,
                             struct arena *arena, struct owner *owner, struct span *error)
{
    const struct conf_virtual *settings = tables->settings;
    uint64_t uid = 0, gid = 0;
    enum owner_result result = look_up_id(settings, tables->uids, recipient, arena, &uid, error);
    if (result != OWNER_FOUND)
        return result;
    owner->uid = (uid_t)uid;
    /* Whatever the table says, no mailbox belongs to root or to the system's own users. */
    if (uid == 0 || uid < settings->virtual_minimum_uid ||
        (settings->last_valid_uid > 0 && uid > settings->last_valid_uid))
        return OWNER_REFUSED;
    result = look_up_id(settings, tables->gids, recipient, arena, &gid, error);
    owner->gid = (gid_t)gid;
    return result == OWNER_FOUND && gid == 0 ? OWNER_REFUSED : result;
}

enum owner_result owner_look_up(const struct conf_virtual *settings, struct span recipient,
                                struct arena *arena, struct owner *owner, struct span *error)
{
    struct owner_tables tables;
    *error = SPAN("out of memory");
    if (!owner_open(settings, &tables))
        return OWNER_ERROR;
    const enum owner_result result = owner_find(&tables, recipient, arena, owner, error);
    owner_close(&tables);
    return result;
}
