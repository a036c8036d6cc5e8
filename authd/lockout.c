/* authd/lockout - see lockout.h. */
#include "lockout.h"

#include "address/ip.h"
#include "base/map.h"
#include "system/task.h"

enum { DOUBLINGS_MAX = 6, NETWORK_BYTES_OF_IPV6 = 8 };

static struct span network_of(const struct ip_address *address, struct arena *arena)
{
    char text[IP_ADDRESS_TEXT_MAX_BYTES];
    struct ip_address network = *address;
    if (address->family == IP_FAMILY_4)
        return arena_copy(arena, ip_address_format(address, text));
    memset(network.bytes + NETWORK_BYTES_OF_IPV6, 0, sizeof(network.bytes) - NETWORK_BYTES_OF_IPV6);
    const struct span base = ip_address_format(&network, text);
    return arena_format(arena, "%.*s/64", SPAN_PRINTF(base));
}

static uint32_t window_s(const struct authd *authd)
{
    return (uint32_t)(authd->conf->auth_failure_time_ms / 1000);
}

static uint32_t count(struct authd *authd, enum limit_kind kind, struct span key, uint32_t amount)
{
    struct limit_answer answer;
    limit_count(&authd->limits, kind, key, amount, window_s(authd), &answer);
    return answer.is_known ? answer.count : 0;
}

/* ---- places ---- */

/* Does a failure of one count against the other? By pair where the user is known, otherwise by
 * network, or by user. */
static bool is_same_pair(const struct lockout *one, const struct lockout *other)
{
    return one->is_known && other->is_known && span_equals(one->pair, other->pair);
}

static bool is_same_network(const struct lockout *one, const struct lockout *other)
{
    return !one->is_known && !other->is_known && span_equals(one->network, other->network);
}

static bool is_same_user(const struct lockout *one, const struct lockout *other)
{
    return !one->is_known && !other->is_known && one->user.length > 0 &&
           span_equals(one->user, other->user);
}

static uint32_t count_ahead(struct authd *authd, const struct lockout *lockout,
                            bool (*is_same)(const struct lockout *, const struct lockout *))
{
    uint32_t count_of_them = 0;
    LIST_FOR_EACH (&authd->attempts, link) {
        const struct lockout *other = LIST_ITEM(link, struct lockout, link);
        if (other == lockout)
            break;
        count_of_them += is_same(lockout, other);
    }
    return count_of_them;
}

void lockout_end(struct authd *authd, struct lockout *lockout)
{
    if (!list_is_linked(&lockout->link))
        return;
    list_remove(&authd->attempts, &lockout->link);
    LIST_FOR_EACH (&authd->attempts, link) {
        struct lockout *other = LIST_ITEM(link, struct lockout, link);
        if (!is_same_pair(lockout, other) && !is_same_network(lockout, other) &&
            !is_same_user(lockout, other))
            continue;
        other->is_stirred = true;
        task_wake(other->task);
    }
}

/* ---- asking ---- */

/* Who is ahead is counted before limitd is asked: one that fails meanwhile counts twice, never not
 * at all. While those ahead alone fill the limit limitd is not asked. */
static enum lockout_answer judge(struct authd *authd, const struct lockout *lockout,
                                 enum limit_kind kind, struct span key,
                                 bool (*is_same)(const struct lockout *, const struct lockout *),
                                 uint32_t limit, uint32_t *failures)
{
    const uint32_t ahead = limit > 0 ? count_ahead(authd, lockout, is_same) : 0;
    if (limit > 0 && ahead >= limit)
        return LOCKOUT_WAIT;
    *failures = count(authd, kind, key, 0);
    if (limit == 0 || *failures + ahead < limit)
        return LOCKOUT_MAY_TRY;
    return *failures >= limit ? LOCKOUT_REFUSED : LOCKOUT_WAIT;
}

enum lockout_answer lockout_ask(struct authd *authd, struct lockout *lockout, const char **reason)
{
    const struct conf_authd *conf = authd->conf;
    uint32_t failures_of_user;
    lockout->is_stirred = false;
    if (lockout->is_known) {
        *reason = "too many failures of this user from this address";
        return judge(authd, lockout, LIMIT_KIND_AUTH_PAIR, lockout->pair, is_same_pair,
                     conf->auth_user_failure_limit, &lockout->failures);
    }
    *reason = "too many failures from this address";
    const enum lockout_answer answer =
        judge(authd, lockout, LIMIT_KIND_AUTH_ADDRESS, lockout->network, is_same_network,
              conf->auth_address_failure_limit, &lockout->failures);
    if (answer != LOCKOUT_MAY_TRY || lockout->user.length == 0)
        return answer;
    *reason = "too many failures of this user from addresses where the user was never seen";
    return judge(authd, lockout, LIMIT_KIND_AUTH_USER, lockout->user, is_same_user,
                 conf->auth_user_failure_limit, &failures_of_user);
}

enum lockout_answer lockout_begin(struct authd *authd, struct lockout *lockout, struct span user,
                                  struct span address, struct arena *arena, const char **reason)
{
    struct ip_address client;
    lockout_end(authd, lockout);
    *lockout = (struct lockout){
        .task = task_current(), .network = span_empty(), .pair = span_empty(), .user = user};
    const bool has_address = ip_address_parse(address, &client);
    if (has_address && ip_network_list_has(&authd->failure_exceptions, &client))
        return LOCKOUT_MAY_TRY;
    const struct span network = has_address ? network_of(&client, arena) : SPAN("unknown");
    const struct span pair =
        arena_format(arena, "%.*s|%.*s", SPAN_PRINTF(user), SPAN_PRINTF(network));
    if (!network.bytes || !pair.bytes)
        return LOCKOUT_MAY_TRY;
    lockout->network = network;
    lockout->pair = pair;
    lockout->is_known = count(authd, LIMIT_KIND_AUTH_KNOWN, pair, 0) > 0;
    list_append(&authd->attempts, &lockout->link);
    return lockout_ask(authd, lockout, reason);
}

/* ---- how it ended ---- */

/* The same wrong password of the same user from the same network, a short while ago. */
static bool is_repeated(struct authd *authd, const struct lockout *lockout, struct span password)
{
    struct failure_memory *memory = &authd->failure_memory;
    const int64_t now_ms = clock_monotonic_ms();
    if (password.length == 0)
        return false;
    const uint64_t hash =
        map_siphash(memory->seed, lockout->pair) * 31 + map_siphash(memory->seed, password);
    for (size_t i = 0; i < FAILURES_REMEMBERED; i++)
        if (memory->hashes[i] == hash &&
            now_ms - memory->when_ms[i] < authd->conf->auth_failure_time_ms)
            return true;
    memory->hashes[memory->next] = hash;
    memory->when_ms[memory->next] = now_ms;
    memory->next = (memory->next + 1) % FAILURES_REMEMBERED;
    return false;
}

int64_t lockout_fail(struct authd *authd, struct lockout *lockout, struct span password)
{
    const struct conf_authd *conf = authd->conf;
    int64_t delay_ms = conf->auth_failure_delay_ms;
    if (lockout->network.length == 0)
        return delay_ms;
    if (!is_repeated(authd, lockout, password)) {
        if (lockout->is_known) {
            lockout->failures = count(authd, LIMIT_KIND_AUTH_PAIR, lockout->pair, 1);
        } else {
            lockout->failures = count(authd, LIMIT_KIND_AUTH_ADDRESS, lockout->network, 1);
            if (lockout->user.length > 0) /* for the next attempt */
                (void)count(authd, LIMIT_KIND_AUTH_USER, lockout->user, 1);
        }
    }
    for (uint32_t i = 1; i < lockout->failures && i <= DOUBLINGS_MAX; i++)
        delay_ms *= 2;
    return delay_ms < conf->auth_failure_delay_limit_ms ? delay_ms
                                                        : conf->auth_failure_delay_limit_ms;
}

void lockout_succeed(struct authd *authd, const struct lockout *lockout)
{
    if (lockout->network.length == 0)
        return;
    limit_set(&authd->limits, LIMIT_KIND_AUTH_KNOWN, lockout->pair, 1,
              (uint32_t)(authd->conf->auth_known_address_time_ms / 1000));
    if (lockout->failures > 0 && lockout->is_known)
        limit_set(&authd->limits, LIMIT_KIND_AUTH_PAIR, lockout->pair, 0, 1);
}
