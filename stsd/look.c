/* stsd/look - see look.h. */
#include "look.h"

#include <stdlib.h>

#include "maillog/event.h"
#include "system/clock.h"
#include "system/task.h"

enum {
    LOOKS_MAX = 500,
    ARENA_BYTES = 1 << 20,
    DNS_WAIT_MS = 30 * 1000,
    TEXTS_MAX = 64,
    HTTP_OK = 200
};

struct look {
    struct server *server;
    struct cache_entry *entry;
    void (*ended)(struct cache_entry *entry);
    struct arena arena;
};

static int64_t now_s(void)
{
    return (int64_t)(clock_realtime_us() / 1000000);
}

static struct log_context log_of(const struct look *look)
{
    return (struct log_context){.log = &look->server->service->log, .queue_id = span_empty()};
}

/* ---- the journal ---- */

struct walk {
    const struct list *list;
    struct list_link *next;
};

static bool next_record(void *context, struct buffer *lines)
{
    struct walk *walk = context;
    struct sts_record record;
    if (!walk->next)
        return false;
    cache_record(LIST_ITEM(walk->next, struct cache_entry, recent), &record);
    sts_record_append(&record, lines);
    walk->next = list_next(walk->list, walk->next);
    return true;
}

static int rewrite(struct server *server)
{
    const struct list *list = &server->cache.with_policy;
    struct walk walk = {list, list_first(list)};
    return journal_rewrite(&server->journal, next_record, &walk);
}

static void save(const struct look *look)
{
    struct server *server = look->server;
    struct log_context log = log_of(look);
    struct sts_record record;
    struct buffer line;
    int error;
    if (journal_is_due(&server->journal, server->cache.size_bytes)) {
        error = rewrite(server);
    } else {
        buffer_init(&line, NULL, 2 * MTASTS_POLICY_MAX_BYTES);
        cache_record(look->entry, &record);
        sts_record_append(&record, &line);
        error = buffer_ok(&line) ? journal_append(&server->journal, buffer_span(&line)) : 0;
        buffer_release(&line);
    }
    if (error != 0 && !server->has_complained)
        log_event(&log, LOG_LEVEL_WARNING, "sts.not_saved",
                  log_string("reason", strerrordesc_np(error)),
                  log_string("effect", "after a restart policies are fetched again"));
    server->has_complained = error != 0;
}

/* ---- the policy ---- */

/* RFC 8461 section 3.2: parameters and their case do not matter. */
static bool is_plain_text(struct span content_type)
{
    struct span type, parameters;
    (void)span_split_once(content_type, ';', &type, &parameters);
    return span_equals_ascii_nocase(span_trim_spaces(type), SPAN("text/plain"));
}

/* The administrator of either side wants to know (section 3.3), unless it is of no consequence. */
static void fail(const struct look *look, struct span id, enum tlsrpt_result failure,
                 struct span reason)
{
    struct cache_entry *entry = look->entry;
    struct log_context log = log_of(look);
    const bool has_policy = !span_is_empty(cache_policy(entry, now_s()));
    cache_set_failure(entry, id, failure, reason, now_s());
    log_event(
        &log, has_policy && entry->mode == MTASTS_NONE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
        "sts.no_policy", log_text("domain", entry->node.key), log_text("id", id),
        log_string("failure", tlsrpt_result_name(failure)),
        log_text("reason", span_from_string(entry->reason)),
        log_string("next", has_policy ? "the policy from before counts on" : "as without MTA-STS"));
}

static void take_policy(const struct look *look, struct span id, struct span body)
{
    struct cache_entry *entry = look->entry;
    struct log_context log = log_of(look);
    struct mtasts_policy policy;
    if (mtasts_policy_parse(body, &policy) != PARSE_OK) {
        fail(look, id, TLSRPT_STS_POLICY_INVALID, SPAN("the policy is malformed"));
        return;
    }
    const bool is_news = !span_equals(id, span_from_string(entry->id)) || !entry->policy;
    if (!cache_set_policy(&look->server->cache, entry, id, &policy, now_s())) {
        entry->is_unknown = true;
        return;
    }
    if (is_news)
        log_event(&log, LOG_LEVEL_INFO, "sts.policy", log_text("domain", entry->node.key),
                  log_text("id", id), log_string("mode", mtasts_mode_name(policy.mode)),
                  log_number("max_age", policy.max_age_s));
    save(look);
}

static void fetch_policy(struct look *look, struct span id)
{
    const struct fetch_request request = {
        .kind = FETCH_STS_POLICY,
        .target = look->entry->node.key,
        .timeout_ms = (uint32_t)look->server->conf->mta_sts_fetch_timeout_ms,
    };
    struct fetch_answer answer = {.result = FETCH_UNAVAILABLE};
    fetch(&look->server->fetch, &request, &look->arena, &answer);
    switch (answer.result) {
    case FETCH_ANSWERED:
        if (answer.http_status != HTTP_OK)
            fail(look, id, TLSRPT_STS_POLICY_FETCH_ERROR,
                 arena_format(&look->arena, "HTTP status %u", (unsigned)answer.http_status));
        else if (!is_plain_text(answer.content_type))
            fail(look, id, TLSRPT_STS_POLICY_INVALID, SPAN("the media type is not text/plain"));
        else
            take_policy(look, id, answer.body);
        break;
    case FETCH_UNTRUSTED:
        fail(look, id, TLSRPT_STS_WEBPKI_INVALID, answer.reason);
        break;
    case FETCH_TOO_LARGE:
        fail(look, id, TLSRPT_STS_POLICY_INVALID, answer.reason);
        break;
    case FETCH_UNAVAILABLE: /* our own trouble says nothing about the domain */
        cache_set_unknown(look->entry, answer.reason);
        break;
    default:
        fail(look, id, TLSRPT_STS_POLICY_FETCH_ERROR, answer.reason);
        break;
    }
}

/* ---- the record ---- */

/* The id of the one record that counts; empty when there is none. */
static struct span choose_id(struct look *look, const struct dns_answer *answer)
{
    struct span texts[TEXTS_MAX], id;
    size_t count = 0;
    for (size_t i = 0; i < answer->record_count; i++) {
        if (count == TEXTS_MAX)
            return span_empty(); /* nobody has so many */
        if (answer->records[i].type == DNS_TYPE_TXT)
            texts[count++] = answer->records[i].data;
    }
    if (mtasts_record_choose(texts, count, &id) != PARSE_OK)
        return span_empty();
    return arena_copy(&look->arena, id);
}

static void find_out(struct look *look)
{
    struct cache_entry *entry = look->entry;
    struct dns_answer answer;
    const struct span name =
        arena_format(&look->arena, "_mta-sts.%.*s", SPAN_PRINTF(entry->node.key));
    entry->is_unknown = !name.bytes;
    if (!name.bytes)
        return;
    dns_lookup(&look->server->dns, name, DNS_TYPE_TXT, clock_deadline_after(DNS_WAIT_MS),
               &look->arena, &answer);
    entry->checked_s = now_s();
    if (answer.status == DNS_TEMPORARY) {
        /* A domain whose servers say nothing has no policy to be found, as an attacker might have
         * it; what is cached counts on. Trouble of our own is another thing. */
        entry->is_unknown =
            answer.failure == DNS_FAILURE_HELPER || answer.failure == DNS_FAILURE_RESOURCES;
        return;
    }
    const struct span id = choose_id(look, &answer);
    if (span_is_empty(id))
        cache_clear_failure(entry);
    else if (cache_is_fetch_due(&look->server->cache, entry, id, entry->checked_s))
        fetch_policy(look, id);
    else if (!span_equals(id, span_from_string(entry->failed_id)))
        cache_clear_failure(entry);
}

static void run(void *argument)
{
    struct look *look = argument;
    struct cache_entry *entry = look->entry;
    void (*ended)(struct cache_entry *) = look->ended;
    find_out(look);
    look->server->look_count--;
    arena_destroy(&look->arena);
    free(look);
    entry->is_busy = false;
    ended(entry);
}

void look_start(struct server *server, struct cache_entry *entry,
                void (*ended)(struct cache_entry *entry))
{
    struct look *look = server->look_count < LOOKS_MAX ? calloc(1, sizeof(*look)) : NULL;
    if (look) {
        *look = (struct look){.server = server, .entry = entry, .ended = ended};
        arena_init(&look->arena, ARENA_BYTES, 0);
    }
    if (!look || !task_start(server->service->loop, "look", run, look)) {
        free(look);
        entry->is_unknown = true;
        return;
    }
    server->look_count++;
    entry->is_busy = true;
}
