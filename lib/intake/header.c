/* intake/header - see header.h. */
#include "intake/header.h"

#include <limits.h>
#include <time.h>

#include "base/ascii.h"
#include "smtp/date.h"
#include "smtp/header.h"

/* What was seen on the way through. */
enum seen {
    SEEN_DATE = 1 << 0,
    SEEN_FROM = 1 << 1,
    SEEN_MESSAGE_ID = 1 << 2,
    SEEN_RECIPIENT = 1 << 3, /* To or Cc, resent or not */
    SEEN_RESENT = 1 << 4,    /* any Resent- field */
    SEEN_RESENT_DATE = 1 << 5,
    SEEN_RESENT_FROM = 1 << 6,
    SEEN_RESENT_MESSAGE_ID = 1 << 7
};

static unsigned sight_of(struct span name)
{
    static const struct {
        struct span name;
        unsigned seen;
    } fields[] = {
        {SPAN_LITERAL("Date"), SEEN_DATE},
        {SPAN_LITERAL("From"), SEEN_FROM},
        {SPAN_LITERAL("Message-ID"), SEEN_MESSAGE_ID},
        {SPAN_LITERAL("To"), SEEN_RECIPIENT},
        {SPAN_LITERAL("Cc"), SEEN_RECIPIENT},
        {SPAN_LITERAL("Resent-To"), SEEN_RECIPIENT | SEEN_RESENT},
        {SPAN_LITERAL("Resent-Cc"), SEEN_RECIPIENT | SEEN_RESENT},
        {SPAN_LITERAL("Resent-Bcc"), SEEN_RESENT},
        {SPAN_LITERAL("Resent-Date"), SEEN_RESENT | SEEN_RESENT_DATE},
        {SPAN_LITERAL("Resent-From"), SEEN_RESENT | SEEN_RESENT_FROM},
        {SPAN_LITERAL("Resent-Message-ID"), SEEN_RESENT | SEEN_RESENT_MESSAGE_ID},
        {SPAN_LITERAL("Resent-Reply-To"), SEEN_RESENT},
        {SPAN_LITERAL("Resent-Sender"), SEEN_RESENT},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        if (span_equals_ascii_nocase(name, fields[i].name))
            return fields[i].seen;
    return 0;
}

static bool is_dropped(const struct intake_header_rules *rules, struct span name)
{
    return span_list_has(rules->dropped_fields, name);
}

static bool completes_addresses(const struct intake_header_rules *rules,
                                const struct intake_header_facts *facts)
{
    return facts->is_local || rules->remote_domain.length > 0;
}

static bool adds_missing(const struct intake_header_rules *rules,
                         const struct intake_header_facts *facts)
{
    return completes_addresses(rules, facts) || rules->always_adds_missing;
}

bool intake_header_is_final(const struct intake_header_rules *rules,
                            const struct intake_header_facts *facts, struct span fields)
{
    struct smtp_header_field field;
    if (adds_missing(rules, facts))
        return false;
    while (smtp_header_next(&fields, &field))
        if (is_dropped(rules, field.name))
            return false;
    return true;
}

/* ---- addresses ---- */

struct completer {
    const struct intake_header_facts *facts;
    struct address_completion rules;
};

static bool complete(void *context, enum smtp_address_field kind, struct span text,
                     struct arena *arena, struct span *replacement)
{
    const struct completer *completer = context;
    struct mailbox mailbox, completed;
    bool has_changed = false;
    *replacement = text;
    if (mailbox_parse(text, ADDRESS_LENIENT | (unsigned)ADDRESS_ALLOW_UTF8, arena, &mailbox) ==
            PARSE_OK &&
        address_complete(&completer->rules, &mailbox, arena, &completed) &&
        !(span_equals(completed.domain, mailbox.domain) &&
          span_equals(completed.local_part, mailbox.local_part))) {
        *replacement = completed.text;
        has_changed = true;
    }
    struct span further;
    if (completer->facts->replace &&
        completer->facts->replace(completer->facts->context, kind, *replacement, arena, &further)) {
        *replacement = further;
        has_changed = true;
    }
    return has_changed;
}

static struct completer make_completer(const struct intake_header_rules *rules,
                                       const struct intake_header_facts *facts)
{
    struct completer completer = {.facts = facts, .rules = rules->completion};
    if (!facts->is_local) { /* as in Postfix: one domain stands for both */
        completer.rules.append_at_myorigin = true;
        completer.rules.append_dot_mydomain = true;
        completer.rules.myorigin = rules->remote_domain;
        completer.rules.mydomain = rules->remote_domain;
    }
    return completer;
}

/* ---- what is missing ---- */

static void add_message_id(const struct intake_header_rules *rules,
                           const struct intake_header_facts *facts, const char *prefix,
                           struct buffer *output)
{
    const time_t when = (time_t)facts->unix_time_s;
    struct tm parts = {.tm_mday = 1};
    (void)gmtime_r(&when, &parts); /* a year past its range leaves the Epoch, which is an id too */
    buffer_append_format(output, "%sMessage-Id: <%04d%02d%02d%02d%02d%02d.%.*s@%.*s>\r\n", prefix,
                         parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                         parts.tm_min, parts.tm_sec, SPAN_PRINTF(facts->queue_id),
                         SPAN_PRINTF(rules->server_name));
}

static void add_date(const struct intake_header_facts *facts, const char *prefix,
                     struct buffer *output)
{
    buffer_append_format(output, "%sDate: ", prefix);
    smtp_date_append(output, facts->unix_time_s, facts->offset_minutes, facts->zone_name);
    buffer_append_string(output, "\r\n");
}

/* A phrase of RFC 5322 section 3.2.5: atoms and spaces, else a quoted-string. */
static void append_phrase(struct span name, struct buffer *output)
{
    bool needs_quotes = false;
    for (size_t i = 0; i < name.length; i++)
        needs_quotes = needs_quotes || memchr("()<>[]:;@\\,.\"", name.bytes[i], 13) != NULL;
    if (needs_quotes)
        buffer_append_byte(output, '"');
    for (size_t i = 0; i < name.length; i++) {
        const uint8_t byte = name.bytes[i];
        if (needs_quotes && (byte == '"' || byte == '\\'))
            buffer_append_byte(output, '\\');
        buffer_append_byte(output, byte < 0x20 || byte == 0x7f ? ' ' : byte);
    }
    if (needs_quotes)
        buffer_append_byte(output, '"');
}

static void add_from(const struct intake_header_rules *rules,
                     const struct intake_header_facts *facts, const char *prefix,
                     struct arena *arena, struct buffer *output)
{
    const struct completer completer = make_completer(rules, facts);
    struct span address = facts->reverse_path.length ? facts->reverse_path : SPAN("MAILER-DAEMON");
    struct mailbox mailbox, completed;
    if (completes_addresses(rules, facts) &&
        mailbox_parse(address, ADDRESS_LENIENT | (unsigned)ADDRESS_ALLOW_UTF8, arena, &mailbox) ==
            PARSE_OK &&
        address_complete(&completer.rules, &mailbox, arena, &completed))
        address = completed.text;
    buffer_append_format(output, "%sFrom: ", prefix);
    if (facts->full_name.length) {
        append_phrase(facts->full_name, output);
        buffer_append_string(output, " <");
    }
    buffer_append_span(output, address);
    buffer_append_string(output, facts->full_name.length ? ">\r\n" : "\r\n");
}

static void add_missing(const struct intake_header_rules *rules,
                        const struct intake_header_facts *facts, unsigned seen, struct arena *arena,
                        struct buffer *output)
{
    /* RFC 5322 section 3.6.6: a message sent again has fields of its own for that. */
    const bool is_resent = (seen & SEEN_RESENT) != 0;
    const char *prefix = is_resent ? "Resent-" : "";
    if (!(seen & (unsigned)(is_resent ? SEEN_RESENT_MESSAGE_ID : SEEN_MESSAGE_ID)))
        add_message_id(rules, facts, prefix, output);
    if (!(seen & (unsigned)(is_resent ? SEEN_RESENT_DATE : SEEN_DATE)))
        add_date(facts, prefix, output);
    if (!(seen & (unsigned)(is_resent ? SEEN_RESENT_FROM : SEEN_FROM)))
        add_from(rules, facts, prefix, arena, output);
    if (!(seen & SEEN_RECIPIENT) && rules->undisclosed_recipients_header.length) {
        buffer_append_span(output, rules->undisclosed_recipients_header);
        buffer_append_string(output, "\r\n");
    }
}

void intake_header_append(const struct intake_header_rules *rules,
                          const struct intake_header_facts *facts, struct span fields,
                          struct arena *arena, struct buffer *output)
{
    struct completer completer = make_completer(rules, facts);
    const bool is_completing = completes_addresses(rules, facts);
    struct smtp_header_field field;
    unsigned seen = 0;
    while (smtp_header_next(&fields, &field)) {
        /* A Resent-Bcc field goes; that the message is sent again stays. */
        seen |= sight_of(field.name) & (is_dropped(rules, field.name) ? SEEN_RESENT : UINT_MAX);
        if (is_dropped(rules, field.name))
            continue;
        if (is_completing)
            (void)smtp_address_field_rewrite(field.name, field.whole, complete, &completer, output);
        else
            buffer_append_span(output, field.whole);
    }
    if (adds_missing(rules, facts))
        add_missing(rules, facts, seen, arena, output);
    buffer_append_span(output, fields); /* nothing, or what is no field */
}
