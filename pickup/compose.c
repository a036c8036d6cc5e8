/* pickup/compose - what is put in front of a dropped text: the header block, and the envelope. See
 * taking.h. Callers: take. */
#include <time.h>

#include "intake/recipients.h"
#include "maillog/receive.h"
#include "smtp/date.h"
#include "smtp/header.h"
#include "system/clock.h"
#include "taking.h"

enum { MICROSECONDS_PER_SECOND = 1000000 };

static void find_zone(int64_t unix_time_s, struct intake_header_facts *facts)
{
    const time_t when = (time_t)unix_time_s;
    struct tm local;
    facts->zone_name = span_empty();
    if (!localtime_r(&when, &local))
        return;
    facts->offset_minutes = (int)(local.tm_gmtoff / 60);
    facts->zone_name = span_from_string(local.tm_zone);
}

/* Received on top (RFC 5321 section 4.4), then the fields and those that are missing. */
static void append_fields(struct taking *taking, bool is_rewritten, struct buffer *block)
{
    const struct conf_pickup *settings = taking->pickup->settings;
    struct intake_address_rewriter rewriter = {
        .client = &taking->pickup->addr,
        .deadline_ms = clock_deadline_after(TAKING_EXPAND_TIMEOUT_MS),
    };
    struct intake_header_facts facts = {
        .is_local = true,
        .queue_id = taking->queue_id,
        .reverse_path = taking->sender.text,
        .full_name = taking->drop.full_name,
        .unix_time_s = (int64_t)(clock_realtime_us() / MICROSECONDS_PER_SECOND),
    };
    struct intake_header_rules rules = taking->pickup->rules;
    if (!is_rewritten)
        rules.completion = (struct address_completion){.append_at_myorigin = false};
    else if (taking->rewrites_headers) {
        facts.replace = intake_replace_address;
        facts.context = &rewriter;
    }
    find_zone(facts.unix_time_s, &facts);
    buffer_append_format(block, "Received: by %.*s (%.*s, from userid %u)\r\n\tid %.*s; ",
                         SPAN_PRINTF(settings->myhostname), SPAN_PRINTF(settings->mail_name),
                         (unsigned)taking->facts.st_uid, SPAN_PRINTF(taking->queue_id));
    smtp_date_append(block, facts.unix_time_s, facts.offset_minutes, facts.zone_name);
    buffer_append_string(block, "\r\n");
    intake_header_append(&rules, &facts, buffer_span(&taking->header), &taking->recipient_arena,
                         block);
    arena_reset(&taking->recipient_arena);
    if (rewriter.has_failed)
        taking->outcome = outcome_temporary(451, 3, 0, "an address cannot be looked up");
}

/* Where it does not fit with complete addresses it goes back to its sender, with those that were
 * there. */
void compose_header(struct taking *taking, struct buffer *block)
{
    buffer_init(block, NULL, intake_header_limit(taking_header_limit(taking)));
    append_fields(taking, true, block);
    if (block->is_full) {
        taking->flags |= QUEUE_FLAG_TOO_BIG;
        buffer_reset(block);
        append_fields(taking, false, block);
    }
    if (buffer_ok(block) && outcome_is_ok(&taking->outcome)) {
        maillog_pickup(&taking->pickup->service->log, taking->queue_id,
                       (unsigned)taking->facts.st_uid, taking->drop.sender);
        maillog_message_ids(&taking->pickup->service->log, taking->queue_id, buffer_span(block));
    }
    buffer_append_string(block, "\r\n");
    if (!buffer_ok(block))
        taking->outcome = outcome_temporary(451, 3, 0, "out of memory");
}

/* When it was dropped, by the clock of the file system; never in the future. */
static uint64_t arrival_of(const struct taking *taking)
{
    const struct timespec *when = &taking->facts.st_mtim;
    const uint64_t now_us = clock_realtime_us();
    const uint64_t arrival_us =
        (uint64_t)when->tv_sec * MICROSECONDS_PER_SECOND + (uint64_t)when->tv_nsec / 1000U;
    return when->tv_sec > 0 && arrival_us < now_us ? arrival_us : now_us;
}

void compose_envelope(const struct taking *taking, struct span block,
                      struct queue_envelope *envelope)
{
    const struct smtp_content_facts *body = &taking->content;
    const uint32_t flags = taking->drop.flags;
    struct smtp_content_facts header;
    smtp_content_facts_init(&header);
    smtp_content_facts_add(&header, block);
    smtp_content_facts_finish(&header);
    const uint64_t longest = header.longest_line_bytes > body->longest_line_bytes
                                 ? header.longest_line_bytes
                                 : body->longest_line_bytes;
    *envelope = (struct queue_envelope){
        .arrival_us = arrival_of(taking),
        .origin = QUEUE_ORIGIN_PICKUP,
        .reverse_path = taking->sender.text,
        .filter = taking->pickup->settings->content_filter,
        .verp_delimiters =
            span_is_empty(taking->sender.text) ? span_empty() : taking->drop.verp_delimiters,
        .envid = taking->drop.envid,
        .ret = taking->drop.ret,
        .facts =
            {
                .size_bytes = block.length + taking->body_bytes,
                .header_bytes = (uint32_t)block.length,
                .longest_line_bytes = longest > UINT32_MAX ? UINT32_MAX : (uint32_t)longest,
                .received_count = (uint32_t)smtp_header_count(block, SPAN("Received")),
                .flags = (header.has_8bit_header ? (uint32_t)QUEUE_FACT_8BIT_HEADER : 0) |
                         (body->has_8bit_body ? (uint32_t)QUEUE_FACT_8BIT_BODY : 0) |
                         (body->has_leading_dot ? (uint32_t)QUEUE_FACT_LEADING_DOTS : 0) |
                         (body->has_nul ? (uint32_t)QUEUE_FACT_NUL : 0),
            },
        .flags =
            (taking->needs_smtputf8 || flags & DROP_FLAG_SMTPUTF8 ? (uint32_t)QUEUE_FLAG_SMTPUTF8
                                                                  : 0) |
            (flags & DROP_FLAG_BODY_8BITMIME ? (uint32_t)QUEUE_FLAG_BODY_8BITMIME : 0) |
            (flags & DROP_FLAG_REQUIRETLS          ? (uint32_t)QUEUE_FLAG_REQUIRETLS
             : smtp_header_has_tls_optional(block) ? (uint32_t)QUEUE_FLAG_TLS_OPTIONAL
                                                   : 0) |
            (flags & DROP_FLAG_VERIFY_ONLY ? (uint32_t)QUEUE_FLAG_VERIFY : 0) |
            (flags & DROP_FLAG_SEND_REPORT ? (uint32_t)QUEUE_FLAG_TRACE : 0) | taking->flags,
    };
}
