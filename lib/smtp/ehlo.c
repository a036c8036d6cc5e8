/* smtp/ehlo - see ehlo.h. */
#include "smtp/ehlo.h"

#include "base/number.h"

enum {
    LIMIT_MAX = 999999,      /* RFC 9422 section 4: six digits at most */
    INTERVAL_MAX = 999999999 /* RFC 2852 section 2: nine */
};

static const struct {
    struct span keyword;
    size_t offset; /* of the flag */
} flags[] = {
    {SPAN_LITERAL("PIPELINING"), offsetof(struct smtp_extensions, has_pipelining)},
    {SPAN_LITERAL("8BITMIME"), offsetof(struct smtp_extensions, has_8bitmime)},
    {SPAN_LITERAL("ENHANCEDSTATUSCODES"), offsetof(struct smtp_extensions, has_status_codes)},
    {SPAN_LITERAL("STARTTLS"), offsetof(struct smtp_extensions, has_starttls)},
    {SPAN_LITERAL("DSN"), offsetof(struct smtp_extensions, has_dsn)},
    {SPAN_LITERAL("SMTPUTF8"), offsetof(struct smtp_extensions, has_smtputf8)},
    {SPAN_LITERAL("REQUIRETLS"), offsetof(struct smtp_extensions, has_requiretls)},
    {SPAN_LITERAL("CHUNKING"), offsetof(struct smtp_extensions, has_chunking)},
    {SPAN_LITERAL("DELIVERBY"), offsetof(struct smtp_extensions, has_deliver_by)},
    {SPAN_LITERAL("MT-PRIORITY"), offsetof(struct smtp_extensions, has_priority)},
};

static const struct {
    struct span name;
    unsigned flag;
} xforward_attributes[] = {
    {SPAN_LITERAL("NAME"), SMTP_XFORWARD_NAME},     {SPAN_LITERAL("ADDR"), SMTP_XFORWARD_ADDR},
    {SPAN_LITERAL("PORT"), SMTP_XFORWARD_PORT},     {SPAN_LITERAL("PROTO"), SMTP_XFORWARD_PROTO},
    {SPAN_LITERAL("HELO"), SMTP_XFORWARD_HELO},     {SPAN_LITERAL("IDENT"), SMTP_XFORWARD_IDENT},
    {SPAN_LITERAL("SOURCE"), SMTP_XFORWARD_SOURCE},
};

static unsigned parse_xforward(struct span argument)
{
    struct span word;
    unsigned known = 0;
    while (span_next_word(&argument, " \t", &word))
        for (size_t i = 0; i < ARRAY_LENGTH(xforward_attributes); i++)
            if (span_equals_ascii_nocase(word, xforward_attributes[i].name))
                known |= xforward_attributes[i].flag;
    return known;
}

/* RFC 9422 section 3.7: a limit whose value makes no sense counts as not stated. */
static struct smtp_limits parse_limits(struct span argument)
{
    struct smtp_limits limits = {0};
    const struct {
        struct span name;
        uint32_t *limit;
    } known[] = {
        {SPAN("MAILMAX"), &limits.mail_max},
        {SPAN("RCPTMAX"), &limits.rcpt_max},
        {SPAN("RCPTDOMAINMAX"), &limits.rcpt_domain_max},
    };
    struct span word, name, value;
    while (span_next_word(&argument, " \t", &word)) {
        uint64_t number;
        if (!span_split_once(word, '=', &name, &value) ||
            !number_parse_uint64(value, LIMIT_MAX, &number))
            continue;
        for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
            if (span_equals_ascii_nocase(name, known[i].name))
                *known[i].limit = (uint32_t)number;
    }
    return limits;
}

static void parse_keyword_line(struct span line, struct smtp_extensions *extensions)
{
    struct span keyword;
    struct span argument = line;
    if (!span_next_word(&argument, " \t", &keyword))
        return;
    argument = span_trim_spaces(argument);
    for (size_t i = 0; i < ARRAY_LENGTH(flags); i++)
        if (span_equals_ascii_nocase(keyword, flags[i].keyword))
            *(bool *)(void *)((char *)extensions + flags[i].offset) = true;
    if (span_equals_ascii_nocase(keyword, SPAN("SIZE"))) {
        extensions->has_size = true;
        if (!number_parse_uint64(argument, UINT64_MAX, &extensions->size_limit))
            extensions->size_limit = 0;
    } else if (span_equals_ascii_nocase(keyword, SPAN("DELIVERBY"))) {
        if (!number_parse_uint64(argument, INTERVAL_MAX, &extensions->deliver_by_min_s))
            extensions->deliver_by_min_s = 0;
    } else if (span_equals_ascii_nocase(keyword, SPAN("XFORWARD"))) {
        extensions->xforward = parse_xforward(argument);
    } else if (span_equals_ascii_nocase(keyword, SPAN("LIMITS"))) {
        extensions->limits = parse_limits(argument);
    } else if (span_equals_ascii_nocase(keyword, SPAN("AUTH"))) {
        extensions->has_auth = true;
        extensions->auth_mechanisms = argument;
    } else if (span_starts_with_ascii_nocase(keyword, SPAN("AUTH=")) && !extensions->has_auth) {
        /* "AUTH=LOGIN PLAIN" of servers older than RFC 2554. */
        extensions->has_auth = true;
        extensions->auth_mechanisms = span_after(span_trim_spaces(line), 5);
    }
}

void smtp_extensions_parse(const struct smtp_reply *reply, struct smtp_extensions *extensions)
{
    struct span rest = reply->lines;
    *extensions = (struct smtp_extensions){.auth_mechanisms = span_empty()};
    for (size_t i = 0; i < reply->line_count; i++) {
        struct span line;
        (void)span_split_once(rest, '\n', &line, &rest);
        if (line.length && line.bytes[line.length - 1] == '\r')
            line.length--;
        line = span_after(line, 4);
        if (i == 0) {
            if (!span_next_word(&line, " \t", &extensions->server_name))
                extensions->server_name = span_empty();
        } else {
            parse_keyword_line(line, extensions);
        }
    }
}

void smtp_extensions_discard(struct smtp_extensions *extensions, struct span keyword)
{
    for (size_t i = 0; i < ARRAY_LENGTH(flags); i++)
        if (span_equals_ascii_nocase(keyword, flags[i].keyword))
            *(bool *)(void *)((char *)extensions + flags[i].offset) = false;
    if (span_equals_ascii_nocase(keyword, SPAN("SIZE")))
        extensions->has_size = false;
    else if (span_equals_ascii_nocase(keyword, SPAN("AUTH")))
        extensions->has_auth = false;
    else if (span_equals_ascii_nocase(keyword, SPAN("XFORWARD")))
        extensions->xforward = 0;
    else if (span_equals_ascii_nocase(keyword, SPAN("LIMITS")))
        extensions->limits = (struct smtp_limits){0};
}
