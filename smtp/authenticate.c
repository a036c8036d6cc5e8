/* smtp/authenticate - see authenticate.h. */
#include "authenticate.h"

#include <openssl/evp.h>

#include "auth/relay.h"
#include "base/ascii.h"
#include "base/base64.h"
#include "maillog/log.h"
#include "notice.h"
#include "sasl/mechanism.h"
#include "tls/binding.h"

enum {
    /* RFC 4954 section 4: the initial response goes with AUTH if it fits a command line. */
    AUTH_LINE_MAX_BYTES = 512,
    AUTH_ARENA_BYTES = 1 << 18,
    WORDS_MAX_BYTES = 4096,
    LINE_MAX_BYTES = 16384, /* SASL_MESSAGE_MAX_BYTES in base64, and more */
    STEPS_MAX = 16          /* no mechanism has so many */
};

struct session {
    struct connection *connection;
    struct relay_auth_exchange exchange;
    struct relay_auth_answer answer;
    struct arena arena; /* wiped */
    struct arena *texts;
    struct failure *failure;
    struct span refusal; /* the server's reply that says that the password is wrong; or empty */
};

static enum connection_stage stage_of(const struct session *session)
{
    return session->connection->context->speaks_lmtp ? STAGE_LHLO : STAGE_EHLO;
}

/* ---- what may be used ---- */

/* What mechanisms must not be, by the words of ..._security_options. */
static bool suits(enum sasl_mechanism mechanism, struct span options)
{
    static const struct {
        struct span word;
        unsigned property;
    } words[] = {
        {SPAN_LITERAL("noplaintext"), SASL_IS_PLAINTEXT},
        {SPAN_LITERAL("noactive"), SASL_IS_ACTIVE},
        {SPAN_LITERAL("nodictionary"), SASL_IS_DICTIONARY},
        {SPAN_LITERAL("noanonymous"), SASL_IS_ANONYMOUS},
    };
    const unsigned properties = sasl_mechanism_properties(mechanism);
    struct span word;

    while (span_next_word(&options, ", \t\r\n", &word)) {
        if (span_equals_ascii_nocase(word, SPAN("mutual_auth")) && !(properties & SASL_IS_MUTUAL))
            return false;
        for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
            if (span_equals_ascii_nocase(word, words[i].word) && properties & words[i].property)
                return false;
    }
    return true;
}

static struct span options_of(const struct connection *connection)
{
    const struct conf_smtp *settings = connection->settings;
    if (!connection->tls)
        return settings->smtp_sasl_security_options;
    return connection->tls->is_matched ? settings->smtp_sasl_tls_verified_security_options
                                       : settings->smtp_sasl_tls_security_options;
}

static bool passes_filter(const struct connection *connection, struct span name)
{
    struct table_match *filter = connection->context->tables->mechanisms;
    return !filter || table_match_lookup(filter, name) == TABLE_FOUND;
}

static struct span usable_mechanisms(const struct session *session)
{
    const struct connection *connection = session->connection;
    struct span rest = connection->extensions.auth_mechanisms, word;
    enum sasl_mechanism mechanism;
    struct buffer names;

    buffer_init(&names, session->texts, WORDS_MAX_BYTES);
    while (span_next_word(&rest, " ", &word))
        if (sasl_mechanism_from_name(word, &mechanism) && passes_filter(connection, word) &&
            suits(mechanism, options_of(connection))) {
            buffer_append_string(&names, names.length ? " " : "");
            buffer_append_span(&names, word);
        }
    return buffer_ok(&names) ? buffer_span(&names) : span_empty();
}

/* ---- failures ---- */

/* X.7.0: of our own making, or the server's way of speaking. */
static bool fail(struct session *session, uint16_t subject, struct span text)
{
    *session->failure =
        (struct failure){.outcome = outcome_make(OUTCOME_TEMPORARY, 0, subject, 0,
                                                 text.bytes ? text : SPAN("out of memory")),
                         .diagnostic = span_empty(),
                         .is_connected = true};
    return false;
}

static bool fail_for_reason(struct session *session, uint16_t subject)
{
    struct buffer reason;
    const struct span text = session->answer.reason;

    /* What a server sent is no matter for terminals. */
    buffer_init(&reason, session->texts, text.length);
    for (size_t i = 0; i < text.length; i++)
        buffer_append_byte(&reason, ascii_is_print(text.bytes[i]) ? text.bytes[i] : '?');
    return fail(session, subject,
                arena_format(session->texts,
                             "SASL authentication failed; cannot authenticate to server %s: %.*s",
                             session->connection->label, SPAN_PRINTF(buffer_span(&reason))));
}

/* The server's own words. A wrong password may be right soon (smtp_sasl_auth_soft_bounce). */
static bool fail_for_reply(struct session *session, const char *cached, struct outcome outcome,
                           struct span said)
{
    struct connection *connection = session->connection;
    struct span text =
        arena_format(session->texts, "SASL %sauthentication failed; server %s said: %.*s", cached,
                     connection->label, SPAN_PRINTF(said));

    if (outcome.kind != OUTCOME_PERMANENT || connection->settings->smtp_sasl_auth_soft_bounce) {
        outcome.kind = OUTCOME_TEMPORARY;
        outcome.status.class = 4;
    }
    outcome.reason = text.bytes ? text : SPAN("out of memory");
    *session->failure =
        (struct failure){.outcome = outcome, .diagnostic = said, .is_connected = true};
    return false;
}

/* ---- the exchange ---- */

/* A line with secrets in it: for no transcript. */
static bool send_response(struct session *session, const char *begin, struct span name,
                          struct span response)
{
    struct connection *connection = session->connection;
    struct buffer line;

    buffer_init(&line, &session->arena, LINE_MAX_BYTES);
    buffer_append_string(&line, begin);
    buffer_append_span(&line, name);
    if (!span_is_empty(name) && response.bytes)
        buffer_append_byte(&line, ' ');
    /* RFC 4954 section 4: an initial response of no bytes is an equals sign. */
    if (!span_is_empty(name) && response.bytes && span_is_empty(response))
        buffer_append_byte(&line, '=');
    else if (response.bytes)
        base64_encode(response, &line);
    buffer_append_string(&line, "\r\n");
    if (!buffer_ok(&line))
        return fail(session, 7, SPAN("out of memory"));
    stream_write_secret(&connection->stream, buffer_span(&line));
    notice_add_command(connection, SPAN("AUTH ...\r\n"));
    return connection_flush(connection, stage_of(session), session->texts, session->failure);
}

/* RFC 4954 section 4: "*", which the server answers with 501. */
static void cancel(struct session *session)
{
    struct connection *connection = session->connection;
    struct failure failure;
    struct smtp_reply reply;

    connection_write(connection, "*\r\n");
    (void)(connection_flush(connection, stage_of(session), session->texts, &failure) &&
           connection_read_reply(connection, stage_of(session), &reply, session->texts, &failure));
}

/* False: it ends here. */
static bool answer_challenge(struct session *session, const struct smtp_reply *reply,
                             struct span *deferred)
{
    struct buffer challenge;
    const struct span text = span_trim_spaces(reply->text);

    if (deferred->bytes) {
        const struct span response = *deferred;
        *deferred = span_of(NULL, 0);
        if (span_is_empty(text))
            return send_response(session, "", span_empty(), response);
        (void)fail(session, 7,
                   arena_format(session->texts,
                                "SASL authentication failed; non-empty initial challenge from "
                                "server %s",
                                session->connection->label));
        cancel(session);
        return false;
    }
    buffer_init(&challenge, &session->arena, SASL_MESSAGE_MAX_BYTES);
    if (base64_decode(text, &challenge) != PARSE_OK) {
        session->answer.reason = SPAN("malformed SASL challenge from server");
        (void)fail_for_reason(session, 7);
        cancel(session);
        return false;
    }
    relay_auth_step(&session->exchange, buffer_span(&challenge), &session->arena, &session->answer);
    if (session->answer.result == RELAY_AUTH_SEND) {
        /* Of a token that is refused only this tells why; the reply that follows does not. */
        if (!span_is_empty(session->answer.reason))
            maillog_text(session->connection->context->log, LOG_LEVEL_WARNING, span_empty(),
                         "%s: SASL authentication: %.*s", session->connection->relay,
                         SPAN_PRINTF(session->answer.reason));
        return send_response(session, "", span_empty(), session->answer.response);
    }
    (void)fail_for_reason(session, session->answer.result == RELAY_AUTH_TEMPORARY ? 3 : 7);
    cancel(session);
    return false;
}

/* True when the server is satisfied. */
static bool exchange(struct session *session)
{
    struct connection *connection = session->connection;
    const struct span mechanism = session->answer.mechanism;
    struct span initial =
        session->answer.has_response ? session->answer.response : span_of(NULL, 0);
    const size_t length = sizeof("AUTH  \r\n") + mechanism.length + (initial.length + 2) / 3 * 4;
    struct span deferred = span_of(NULL, 0);
    struct smtp_reply reply;

    if (length > AUTH_LINE_MAX_BYTES) {
        deferred = initial;
        initial = span_of(NULL, 0);
    }
    if (!send_response(session, "AUTH ", mechanism, initial))
        return false;
    for (size_t i = 0; i < STEPS_MAX; i++) {
        if (!connection_read_reply(connection, stage_of(session), &reply, session->texts,
                                   session->failure))
            return false;
        if (reply.code / 100 == 2)
            return true;
        if (reply.code / 100 != 3) {
            const struct span said = connection_reply_text(&reply, session->texts);
            const struct outcome outcome = smtp_reply_outcome(&reply);
            connection->is_usable &= reply.code != 421;
            session->refusal = reply.code == 535 ? said : span_empty();
            return fail_for_reply(session, "", outcome, said);
        }
        if (!answer_challenge(session, &reply, &deferred))
            return false;
    }
    return fail(session, 7, SPAN("SASL authentication failed; the server asks without end"));
}

/* ---- the whole ---- */

static struct span binding_of(struct session *session, const char *name)
{
    SSL *ssl = tls_stream_ssl(&session->connection->stream);
    struct buffer bytes;

    buffer_init(&bytes, &session->arena, TLS_BINDING_MAX_BYTES);
    return ssl && tls_binding_append(ssl, span_from_string(name), &bytes) && buffer_ok(&bytes)
               ? buffer_span(&bytes)
               : span_empty();
}

static void start(struct session *session, struct span mechanisms)
{
    const struct connection *connection = session->connection;
    const struct conf_smtp *settings = connection->settings;
    const struct protection *protection = connection->protection;
    struct ipc_relay_auth_start message = {
        .destination = span_first(protection->destination, IPC_ADDRESS_MAX),
        .host = span_first(connection->host, IPC_NAME_MAX),
        .port = connection->port,
        .sender = settings->smtp_sender_dependent_authentication
                      ? span_first(protection->sender, IPC_ADDRESS_MAX)
                      : span_empty(),
        .mechanisms = mechanisms,
        .offered = span_first(connection->extensions.auth_mechanisms, WORDS_MAX_BYTES),
        .sends_authorization = settings->send_cyrus_sasl_authzid,
        .binding_exporter = binding_of(session, "tls-exporter"),
        .binding_unique = binding_of(session, "tls-unique"),
        .binding_end_point = binding_of(session, "tls-server-end-point"),
    };
    relay_auth_start(&session->exchange, connection->context->authenticator, &message,
                     &session->arena, &session->answer);
}

static bool is_right_server(struct session *session)
{
    relay_auth_finish(&session->exchange, &session->arena, &session->answer);
    if (session->answer.result == RELAY_AUTH_DONE)
        return true;
    return fail_for_reason(session, session->answer.result == RELAY_AUTH_TEMPORARY ? 3 : 7);
}

static bool fail_for_mechanisms(struct session *session)
{
    const struct connection *connection = session->connection;
    return fail(session, 7,
                arena_format(session->texts,
                             "SASL authentication failed: server %s offered no compatible "
                             "authentication mechanisms for this type of connection security "
                             "level",
                             connection->label));
}

static bool run(struct session *session)
{
    struct connection *connection = session->connection;
    const struct span mechanisms = usable_mechanisms(session);

    if (span_is_empty(mechanisms))
        maillog_text(connection->context->log, LOG_LEVEL_WARNING, span_empty(),
                     span_is_empty(connection->extensions.auth_mechanisms)
                         ? "%s offered null AUTH mechanism list"
                         : "%s offered no supported AUTH mechanisms: '%.*s'",
                     connection->relay, SPAN_PRINTF(connection->extensions.auth_mechanisms));
    start(session, mechanisms);
    switch (session->answer.result) {
    case RELAY_AUTH_NO_PASSWORD: /* strangers to each other */
        if (!span_is_empty(session->answer.reason))
            maillog_text(connection->context->log, LOG_LEVEL_WARNING, span_empty(), "%.*s",
                         SPAN_PRINTF(session->answer.reason));
        connection->extensions.has_auth = false;
        return true;
    case RELAY_AUTH_SEND:
        return exchange(session) && is_right_server(session);
    case RELAY_AUTH_NO_MECHANISM:
        return fail_for_mechanisms(session);
    case RELAY_AUTH_KNOWN_REFUSAL:
        return fail_for_reply(session, "[CACHED] ",
                              outcome_make(OUTCOME_PERMANENT, 535, 7, 8, span_empty()),
                              arena_copy(session->texts, session->answer.reason));
    case RELAY_AUTH_FAILED:
        return fail_for_reason(session, 7);
    case RELAY_AUTH_TEMPORARY:
    case RELAY_AUTH_DONE:
    case RELAY_AUTH_RESULT_COUNT:
        break;
    }
    return fail_for_reason(session, 3);
}

bool authenticate(struct connection *connection, struct arena *arena, struct failure *failure)
{
    struct session session = {
        .connection = connection, .texts = arena, .failure = failure, .refusal = span_empty()};

    /* Who does not authenticate does as if there were no AUTH. */
    connection->extensions.has_auth &= connection->settings->smtp_sasl_auth_enable;
    if (!connection->extensions.has_auth)
        return true;
    arena_init(&session.arena, AUTH_ARENA_BYTES, ARENA_WIPE);
    const bool is_good = run(&session);
    if (!is_good) /* however it ended, a lost connection included; there may be nothing to end */
        relay_auth_give_up(&session.exchange, session.refusal);
    arena_destroy(&session.arena);
    return is_good;
}

void authenticate_mark(const struct conf_smtp *settings, struct span destination,
                       struct span sender, uint8_t digest[TLS_WISH_DIGEST_BYTES])
{
    uint8_t marked[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD_CTX *context;

    if (!settings->smtp_sasl_auth_enable)
        return;
    if (!settings->smtp_sender_dependent_authentication)
        sender = span_empty();
    context = EVP_MD_CTX_new();
    if (context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(context, digest, TLS_WISH_DIGEST_BYTES) == 1 &&
        EVP_DigestUpdate(context, destination.bytes, destination.length) == 1 &&
        EVP_DigestUpdate(context, "", 1) == 1 &&
        EVP_DigestUpdate(context, sender.bytes, sender.length) == 1 &&
        EVP_DigestFinal_ex(context, marked, &length) == 1 && length >= TLS_WISH_DIGEST_BYTES)
        memcpy(digest, marked, TLS_WISH_DIGEST_BYTES);
    EVP_MD_CTX_free(context);
}
