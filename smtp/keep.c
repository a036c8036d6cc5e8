/* smtp/keep - see keep.h. */
#include "keep.h"

#include <stdlib.h>

#include "system/task.h"

static struct connection *connection_of(struct list_link *link)
{
    return LIST_ITEM(link, struct connection, link);
}

static void good_bye_body(void *argument)
{
    struct connection *connection = argument;
    struct keep *keep = connection->keeper;
    connection_close(&connection);
    keep->leaving_count--;
}

/* From outside of tasks. */
static void good_bye(struct keep *keep, struct connection *connection)
{
    connection->keeper = keep;
    keep->leaving_count++;
    if (connection_is_quiet(connection) &&
        task_start(keep->loop, "good-bye", good_bye_body, connection))
        return;
    keep->leaving_count--;
    connection_abort(&connection); /* the server has left already, or memory is out */
}

static void set_timer(struct keep *keep)
{
    const struct connection *next = connection_of(list_first(&keep->idle));
    loop_timer_set(&keep->timer, next ? next->idle_until_ms : CLOCK_NEVER);
}

static void on_timer(void *context)
{
    struct keep *keep = context;
    const int64_t now_ms = clock_monotonic_ms();
    for (;;) {
        struct connection *connection = connection_of(list_first(&keep->idle));
        if (!connection || connection->idle_until_ms > now_ms)
            break;
        list_remove(&keep->idle, &connection->link);
        good_bye(keep, connection);
    }
    set_timer(keep);
}

void keep_init(struct keep *keep, struct loop *loop, const struct conf_smtp *settings)
{
    *keep = (struct keep){.loop = loop, .settings = settings};
    list_init(&keep->idle);
    loop_timer_init(&keep->timer, loop, on_timer, keep);
}

static bool may_be_used_again(const struct keep *keep, struct connection *connection)
{
    const uint32_t count_limit = keep->settings->smtp_connection_reuse_count_limit;
    const uint32_t mail_max = connection->extensions.limits.mail_max;
    return (!connection->tls || connection->allows_reuse) && connection_is_quiet(connection) &&
           clock_monotonic_ms() - connection->opened_ms <
               keep->settings->smtp_connection_reuse_time_limit_ms &&
           (count_limit == 0 || connection->use_count < count_limit) &&
           (mail_max == 0 || connection->use_count < mail_max);
}

/* The one used last of those that answer the question; what cannot be used any more goes. */
static struct connection *
take(struct keep *keep, bool (*is_wanted)(const struct connection *connection, const void *wish),
     const void *wish)
{
    struct connection *found = NULL;
    LIST_FOR_EACH (&keep->idle, link) {
        struct connection *connection = connection_of(link);
        if (!is_wanted(connection, wish))
            continue;
        if (may_be_used_again(keep, connection)) {
            found = connection;
            continue;
        }
        list_remove(&keep->idle, link);
        good_bye(keep, connection);
    }
    if (found)
        list_remove(&keep->idle, &found->link);
    set_timer(keep);
    return found;
}

struct wanted {
    struct span destination;
    const struct plan_target *target;
    const uint8_t *digest;
};

static bool serves_destination(const struct connection *connection, const void *wish)
{
    const struct wanted *wanted = wish;
    return span_equals_ascii_nocase(span_from_string(connection->destination),
                                    wanted->destination) &&
           memcmp(connection->rules_digest, wanted->digest, TLS_WISH_DIGEST_BYTES) == 0;
}

static bool leads_to(const struct connection *connection, const struct plan_target *target)
{
    return connection_is_to(connection, target) &&
           span_equals_ascii_nocase(connection->host, target->host);
}

static bool is_to_target(const struct connection *connection, const void *wish)
{
    const struct wanted *wanted = wish;
    return leads_to(connection, wanted->target) &&
           memcmp(connection->wish_digest, wanted->digest, TLS_WISH_DIGEST_BYTES) == 0;
}

struct connection *keep_take(struct keep *keep, struct span destination,
                             const uint8_t rules_digest[TLS_WISH_DIGEST_BYTES])
{
    const struct wanted wanted = {.destination = destination, .digest = rules_digest};
    return take(keep, serves_destination, &wanted);
}

bool keep_has(const struct keep *keep, struct span destination,
              const uint8_t rules_digest[TLS_WISH_DIGEST_BYTES], const struct plan_target *target)
{
    const struct wanted wanted = {.destination = destination, .digest = rules_digest};
    LIST_FOR_EACH (&keep->idle, link) {
        const struct connection *connection = connection_of(link);
        if (serves_destination(connection, &wanted) && leads_to(connection, target))
            return true;
    }
    return false;
}

struct connection *keep_take_target(struct keep *keep, const struct plan_target *target,
                                    const uint8_t wish_digest[TLS_WISH_DIGEST_BYTES])
{
    const struct wanted wanted = {
        .destination = span_empty(), .target = target, .digest = wish_digest};
    return take(keep, is_to_target, &wanted);
}

/* smtp_connection_cache_destinations: the next hop as it is written, or its domain; ".domain" for
 * what is below. */
static bool is_kept_always(const struct keep *keep, struct span destination)
{
    struct span rest = keep->settings->smtp_connection_cache_destinations, word;
    while (span_next_word(&rest, ", \t\r\n", &word))
        if (span_equals_ascii_nocase(word, destination) ||
            (span_starts_with(word, SPAN(".")) && destination.length > word.length &&
             span_ends_with_ascii_nocase(destination, word)))
            return true;
    return false;
}

static bool wants(const struct keep *keep, struct span destination)
{
    return !keep->is_draining && keep->idle.count < KEEP_MAX_SESSIONS &&
           (keep->settings->smtp_connection_cache_on_demand || is_kept_always(keep, destination));
}

bool keep_put(struct keep *keep, struct connection **connection_pointer, struct span destination)
{
    struct connection *connection = *connection_pointer;
    connection_reset(connection);
    if (wants(keep, destination) && may_be_used_again(keep, connection)) {
        free(connection->destination);
        connection->destination = strndup((const char *)destination.bytes, destination.length);
        if (connection->destination) {
            connection->idle_until_ms =
                clock_deadline_after(keep->settings->smtp_connection_cache_time_limit_ms);
            list_append(&keep->idle, &connection->link);
            set_timer(keep);
            *connection_pointer = NULL;
            return true;
        }
    }
    return false;
}

void keep_drain(struct keep *keep)
{
    keep->is_draining = true;
    while (!list_is_empty(&keep->idle))
        good_bye(keep, connection_of(list_pop(&keep->idle)));
    set_timer(keep);
}

bool keep_is_busy(const struct keep *keep)
{
    return keep->leaving_count > 0;
}
