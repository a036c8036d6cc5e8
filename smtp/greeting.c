/* smtp/greeting - see greeting.h. */
#include "greeting.h"

#include "authenticate.h"
#include "greeting_facts.h"
#include "maillog/log.h"
#include "starttls.h"

enum { WORDS_MAX_BYTES = 4096 };

/* What the tables have about the server, or what holds for all; the arena's, or a setting. */
static struct span find_by_address(const struct connection *connection, enum tables_kind kind,
                                   struct span otherwise, struct arena *arena)
{
    char text[IP_ADDRESS_TEXT_MAX_BYTES];
    struct buffer value;
    const struct span server = span_is_empty(connection->path)
                                   ? ip_address_format(&connection->address, text)
                                   : connection->path;
    buffer_init(&value, arena, WORDS_MAX_BYTES);
    return tables_find(connection->context->tables, kind, server, &value) == TABLE_FOUND
               ? buffer_span(&value)
               : otherwise;
}

struct greeting {
    struct greeting_facts facts;
    struct span workarounds; /* where it is hidden */
};

/* The name with which a reply begins is ours: mail goes in a circle, by tables or records that do
 * not show it. */
static bool is_from_self(const struct connection *connection, const struct smtp_reply *reply,
                         const char *does)
{
    struct span rest = reply->text, name;
    if (!connection->may_not_be_self || !span_next_word(&rest, " \t", &name) ||
        !span_equals_ascii_nocase(name, connection->settings->myhostname))
        return false;
    maillog_text(connection->context->log, LOG_LEVEL_WARNING, span_empty(),
                 "host %s %s with my own hostname %.*s", connection->relay, does,
                 SPAN_PRINTF(connection->settings->myhostname));
    return true;
}

static bool fail_loop(const struct connection *connection, struct arena *arena,
                      struct failure *failure)
{
    *failure = (struct failure){
        .outcome = outcome_make(OUTCOME_PERMANENT, 0, 4, 6,
                                arena_format(arena, "mail for %.*s loops back to myself",
                                             SPAN_PRINTF(connection->protection->destination))),
        .diagnostic = span_empty(),
        .is_connected = true};
    if (!failure->outcome.reason.bytes)
        failure->outcome.reason = SPAN("mail loops back to myself");
    return false;
}

static bool read_greeting(struct connection *connection, struct greeting *greeting,
                          struct arena *arena, struct failure *failure)
{
    struct smtp_reply reply;
    if (!connection_read_reply(connection, STAGE_GREETING, &reply, arena, failure))
        return false;
    greeting->facts = greeting_facts_read(&reply);
    (void)is_from_self(connection, &reply, "greeted me"); /* what it says then decides */
    if (reply.code / 100 == 2)
        return true;
    *failure = connection_refusal(connection, STAGE_GREETING, &reply, arena);
    if (connection->settings->smtp_skip_5xx_greeting &&
        failure->outcome.kind == OUTCOME_PERMANENT) {
        failure->outcome.kind = OUTCOME_TEMPORARY; /* another host may be kinder */
        failure->outcome.status.class = 4;
    }
    return false;
}

/* Keywords that the operator does not trust. */
static void discard_extensions(struct connection *connection, struct arena *arena)
{
    struct span rest = find_by_address(connection, TABLES_DISCARDED_KEYWORDS,
                                       connection->settings->smtp_discard_ehlo_keywords, arena);
    struct span word;
    while (span_next_word(&rest, ", \t\r\n", &word))
        smtp_extensions_discard(&connection->extensions, word);
}

/* False when the connection is lost or refused; else *is_accepted. */
static bool say_hello(struct connection *connection, enum connection_stage stage, bool *is_accepted,
                      struct arena *arena, struct failure *failure)
{
    struct smtp_reply reply;
    connection_write(connection, "%s %.*s\r\n",
                     stage == STAGE_EHLO   ? "EHLO"
                     : stage == STAGE_LHLO ? "LHLO"
                                           : "HELO",
                     SPAN_PRINTF(connection->settings->smtp_helo_name));
    if (!connection_flush(connection, stage, arena, failure) ||
        !connection_read_reply(connection, stage, &reply, arena, failure))
        return false;
    *is_accepted = reply.code / 100 == 2;
    if (*is_accepted && stage != STAGE_HELO) {
        smtp_extensions_parse(&reply, &connection->extensions);
        connection->extensions.server_name =
            arena_copy(&connection->arena, connection->extensions.server_name);
        connection->extensions.auth_mechanisms =
            arena_copy(&connection->arena, connection->extensions.auth_mechanisms);
        if (!connection->extensions.auth_mechanisms.bytes)
            connection->extensions.auth_mechanisms = span_empty();
        discard_extensions(connection, arena);
    }
    if (!*is_accepted)
        *failure = connection_refusal(connection, stage, &reply, arena);
    else if (is_from_self(connection, &reply, "replied to HELO/EHLO"))
        return fail_loop(connection, arena, failure);
    return *is_accepted || connection->is_usable;
}

/* RFC 5321 section 3.2: a server that refuses EHLO gets HELO. */
static bool introduce(struct connection *connection, const struct greeting *greeting,
                      struct arena *arena, struct failure *failure)
{
    const struct conf_smtp *settings = connection->settings;
    const bool hides_esmtp =
        greeting->facts.is_hidden && span_list_has(greeting->workarounds, SPAN("disable_esmtp"));
    bool is_accepted = false;
    if (!settings->smtp_never_send_ehlo && !hides_esmtp &&
        (settings->smtp_always_send_ehlo || greeting->facts.says_esmtp) &&
        !say_hello(connection, STAGE_EHLO, &is_accepted, arena, failure))
        return false;
    if (!is_accepted && !say_hello(connection, STAGE_HELO, &is_accepted, arena, failure))
        return false;
    return is_accepted;
}

static bool greet(struct connection *connection, const struct greeting *greeting,
                  struct arena *arena, struct failure *failure)
{
    bool is_accepted = false;
    if (!connection->context->speaks_lmtp)
        return introduce(connection, greeting, arena, failure);
    return say_hello(connection, STAGE_LHLO, &is_accepted, arena, failure) && is_accepted;
}

/* smtp_tls_block_early_mail_reply: an answer that is here before its question was made for somebody
 * else's, who got in front of us. */
static bool has_early_reply(struct connection *connection, struct failure *failure)
{
    if (!connection->settings->smtp_tls_block_early_mail_reply || !connection->tls ||
        span_is_empty(stream_input(&connection->stream)))
        return false;
    *failure = (struct failure){.outcome = outcome_temporary(0, 7, 0, "unexpected server message"),
                                .diagnostic = span_empty(),
                                .is_connected = true};
    return true;
}

bool greeting_exchange(struct connection *connection, struct arena *arena, struct failure *failure)
{
    struct greeting greeting;
    if (connection->settings->smtp_tls_wrappermode && !starttls_wrap(connection, arena, failure))
        return false;
    if (!read_greeting(connection, &greeting, arena, failure))
        return false;
    if (greeting.facts.is_hidden)
        greeting.workarounds = find_by_address(connection, TABLES_PIX_WORKAROUNDS,
                                               connection->settings->smtp_pix_workarounds, arena);
    connection->delays_dot =
        greeting.facts.is_hidden && span_list_has(greeting.workarounds, SPAN("delay_dotcrlf"));
    if (!greet(connection, &greeting, arena, failure))
        return false;
    switch (starttls_negotiate(connection, arena, failure)) {
    case STARTTLS_PLAIN:
        break;
    case STARTTLS_DONE: /* RFC 3207 section 4.2 */
        connection->extensions =
            (struct smtp_extensions){.auth_mechanisms = span_empty(), .server_name = span_empty()};
        if (!greet(connection, &greeting, arena, failure))
            return false;
        break;
    case STARTTLS_FAILED:
        return false;
    }
    return !has_early_reply(connection, failure) && authenticate(connection, arena, failure);
}
