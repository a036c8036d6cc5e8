/* smtp/envelope - see envelope.h. */
#include "envelope.h"

#include "base/ascii.h"
#include "body.h"
#include "system/clock.h"

/* ---- XFORWARD: the client from which the message came, for the filter's log and decisions ---- */

static bool is_known(struct span value)
{
    return !span_is_empty(value) && !span_equals(value, SPAN("unknown"));
}

/* RFC 3461 section 4. */
static void write_xtext(struct connection *connection, struct span value)
{
    for (size_t i = 0; i < value.length; i++) {
        const uint8_t byte = value.bytes[i];
        if (byte > ' ' && byte < 0x7f && byte != '+' && byte != '=')
            connection_write(connection, "%c", byte);
        else
            connection_write(connection, "+%02X", (unsigned)byte);
    }
}

static void write_attribute(struct connection *connection, const char *name, struct span value)
{
    connection_write(connection, " %s=", name);
    if (is_known(value))
        write_xtext(connection, value);
    else
        connection_write(connection, "[UNAVAILABLE]");
}

size_t envelope_plan_xforward(const struct delivery *delivery, const struct connection *connection,
                              enum connection_stage stages[ENVELOPE_XFORWARD_MAX])
{
    const struct queue_envelope *envelope = &delivery->envelope;
    const unsigned offered = connection->extensions.xforward;
    size_t count = 0;
    if (!connection->settings->smtp_send_xforward_command)
        return 0;
    if (((offered & SMTP_XFORWARD_NAME) && is_known(envelope->client_name)) ||
        ((offered & SMTP_XFORWARD_ADDR) && is_known(envelope->client_address)) ||
        ((offered & SMTP_XFORWARD_PORT) && envelope->client_port > 0))
        stages[count++] = STAGE_XFORWARD_CLIENT;
    if (offered &
        (SMTP_XFORWARD_PROTO | SMTP_XFORWARD_HELO | SMTP_XFORWARD_IDENT | SMTP_XFORWARD_SOURCE))
        stages[count++] = STAGE_XFORWARD_SESSION;
    return count;
}

static void write_client(const struct queue_envelope *envelope, struct connection *connection)
{
    const unsigned offered = connection->extensions.xforward;
    struct arena arena;
    arena_init(&arena, CONNECTION_ARENA_BYTES, 0);
    if (offered & SMTP_XFORWARD_NAME)
        write_attribute(connection, "NAME", envelope->client_name);
    if (offered & SMTP_XFORWARD_ADDR) {
        const bool is_ipv6 =
            span_find_byte(envelope->client_address, ':') < envelope->client_address.length;
        write_attribute(
            connection, "ADDR",
            is_ipv6 ? arena_format(&arena, "IPv6:%.*s", SPAN_PRINTF(envelope->client_address))
                    : envelope->client_address);
    }
    if (offered & SMTP_XFORWARD_PORT)
        write_attribute(connection, "PORT",
                        envelope->client_port > 0
                            ? arena_format(&arena, "%u", (unsigned)envelope->client_port)
                            : span_empty());
    arena_destroy(&arena);
}

static void write_session(const struct delivery *delivery, struct connection *connection)
{
    const struct queue_envelope *envelope = &delivery->envelope;
    const unsigned offered = connection->extensions.xforward;
    const bool is_local =
        (envelope->flags & QUEUE_FLAG_LOCAL_CLIENT) != 0 || envelope->origin != QUEUE_ORIGIN_SMTP;
    if (offered & SMTP_XFORWARD_PROTO)
        write_attribute(connection, "PROTO", envelope->protocol);
    if (offered & SMTP_XFORWARD_HELO)
        write_attribute(connection, "HELO", envelope->helo);
    if (offered & SMTP_XFORWARD_IDENT)
        write_attribute(connection, "IDENT",
                        span_is_empty(envelope->ident) ? delivery->queue_id : envelope->ident);
    if (offered & SMTP_XFORWARD_SOURCE)
        write_attribute(connection, "SOURCE", is_local ? SPAN("LOCAL") : SPAN("REMOTE"));
}

void envelope_write_xforward(const struct delivery *delivery, struct connection *connection,
                             enum connection_stage stage)
{
    connection_write(connection, "XFORWARD");
    if (stage == STAGE_XFORWARD_CLIENT)
        write_client(&delivery->envelope, connection);
    else
        write_session(delivery, connection);
    connection_write(connection, "\r\n");
}

/* ---- MAIL and RCPT ---- */

void envelope_write_mail(const struct delivery *delivery, struct connection *connection,
                         struct span reverse_path, bool needs_smtputf8)
{
    const struct queue_envelope *envelope = &delivery->envelope;
    const struct smtp_extensions *extensions = &connection->extensions;
    const uint32_t eight_bit = QUEUE_FACT_8BIT_HEADER | QUEUE_FACT_8BIT_BODY;

    connection_write(connection, "MAIL FROM:<%.*s>", SPAN_PRINTF(reverse_path));
    if (extensions->has_size) /* RFC 1870 section 6 */
        connection_write(connection, " SIZE=%llu", (unsigned long long)body_size(delivery));
    if (extensions->has_8bitmime && (envelope->facts.flags & eight_bit)) /* RFC 6152 section 3 */
        connection_write(connection, " BODY=8BITMIME");
    if (needs_smtputf8) /* RFC 6531 section 3.4 */
        connection_write(connection, " SMTPUTF8");
    /* RFC 8689 section 4.2.1. A report goes on without (section 5). */
    if ((envelope->flags & QUEUE_FLAG_REQUIRETLS) && connection->tls && extensions->has_requiretls)
        connection_write(connection, " REQUIRETLS");
    /* RFC 4954 section 5: nobody is vouched for. */
    if (extensions->has_auth && connection->settings->smtp_send_dummy_mail_auth)
        connection_write(connection, " AUTH=<>");
    if (extensions->has_dsn) { /* RFC 3461 section 4.3, 4.4 */
        if (envelope->ret != QUEUE_RETURN_UNSPECIFIED)
            connection_write(connection, " RET=%s",
                             envelope->ret == QUEUE_RETURN_FULL ? "FULL" : "HDRS");
        if (!span_is_empty(envelope->envid))
            connection_write(connection, " ENVID=%.*s", SPAN_PRINTF(envelope->envid));
    }
    if (extensions->has_deliver_by && envelope->deliver_by != QUEUE_DELIVER_BY_NONE)
        connection_write(connection, " BY=%lld;%s%s",
                         (long long)envelope_remaining_s(envelope, clock_realtime_us()),
                         envelope->deliver_by == QUEUE_DELIVER_BY_RETURN ? "R" : "N",
                         envelope->traces_deliver_by ? "T" : "");
    if (extensions->has_priority && envelope->priority) /* RFC 6710 section 4.2 */
        connection_write(connection, " MT-PRIORITY=%d",
                         (int)envelope->priority - QUEUE_PRIORITY_NORMAL);
    connection_write(connection, "\r\n");
}

int64_t envelope_remaining_s(const struct queue_envelope *envelope, uint64_t now_us)
{
    enum { MICROSECONDS_PER_SECOND = 1000000, INTERVAL_MAX_S = 999999999 };
    const int64_t seconds =
        ((int64_t)envelope->deliver_by_us - (int64_t)now_us) / MICROSECONDS_PER_SECOND;
    if (seconds > INTERVAL_MAX_S)
        return INTERVAL_MAX_S;
    return seconds < -INTERVAL_MAX_S ? -INTERVAL_MAX_S : seconds;
}

static void write_notify(struct connection *connection, uint32_t notify)
{
    static const struct {
        uint32_t flag;
        const char *word;
    } words[] = {{QUEUE_NOTIFY_NEVER, "NEVER"},
                 {QUEUE_NOTIFY_SUCCESS, "SUCCESS"},
                 {QUEUE_NOTIFY_FAILURE, "FAILURE"},
                 {QUEUE_NOTIFY_DELAY, "DELAY"}};
    const char *separator = " NOTIFY=";
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (notify & words[i].flag) {
            connection_write(connection, "%s%s", separator, words[i].word);
            separator = ",";
        }
}

/* RFC 2852 section 4.1.4.2: a server that does not know when mail is late can tell of delays. */
static uint32_t notify_of(const struct delivery *delivery, const struct connection *connection,
                          uint32_t notify)
{
    if (delivery->envelope.deliver_by != QUEUE_DELIVER_BY_NOTIFY ||
        connection->extensions.has_deliver_by || (notify & QUEUE_NOTIFY_NEVER))
        return notify;
    return (notify ? notify : (uint32_t)QUEUE_NOTIFY_FAILURE) | QUEUE_NOTIFY_DELAY;
}

/* What the sender wrote, which we may say if he did not (RFC 3461 section 5.2.1); without it a
 * report from afar names an address that the sender has never heard of. */
static void write_original_recipient(struct connection *connection,
                                     const struct delivery_recipient *recipient)
{
    if (!span_is_empty(recipient->orcpt)) {
        connection_write(connection, " ORCPT=%.*s", SPAN_PRINTF(recipient->orcpt));
    } else if (!span_is_empty(recipient->original) && ascii_is_all_ascii(recipient->original)) {
        connection_write(connection, " ORCPT=rfc822;");
        write_xtext(connection, recipient->original);
    }
}

void envelope_write_rcpt(const struct delivery *delivery, struct connection *connection,
                         const struct delivery_recipient *recipient)
{
    connection_write(connection, "RCPT TO:<%.*s>", SPAN_PRINTF(recipient->wire_address));
    if (connection->extensions.has_dsn) { /* RFC 3461 section 4.1, 4.2 */
        write_notify(connection, notify_of(delivery, connection, recipient->notify));
        write_original_recipient(connection, recipient);
    }
    connection_write(connection, "\r\n");
}
