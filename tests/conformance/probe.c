/* tests/conformance/probe - asks our parsers and rewriting for the conformance runners.
 * probe MAIN_CF reads lines "COMMAND TEXT" and writes one line for each:
 * - mailbox TEXT: ok, or no; an SMTP mailbox, RFC 5321 to the letter
 * - header TEXT: ok, or no; an address in a header, comments and white space included
 * - scan TEXT: LOCAL@DOMAIN, ...; the addresses in a header field
 * - values TEXT: the same in what a table says
 * - quote TEXT: LOCAL@DOMAIN, split at the last @, quoted where it must be
 * - unquote TEXT: the same without quotes
 * - idn TEXT: ASCII form, or (error)
 * - complete TEXT: as $myorigin and $mydomain complete it, or no
 * - remote TEXT: as remote_header_rewrite_domain does
 * - sender TEXT: the envelope sender, rewritten; or later
 * - generic TEXT: by smtp_generic_maps; or later
 * - scram TEXT: what our SCRAM server says, each message with a tab behind it, then yes or no. TEXT
 *   has between tabs: hash, user, password, salt (base64), iterations, the server's nonce, and then
 *   what the client says
 * - scram-client TEXT: the same of our client. TEXT: hash, user, password, authorization identity,
 *   the client's nonce, and then what the server says
 * - dane TEXT: what becomes of a chain of certificates under TLSA records: "unusable", or the error
 *   and the depth of the match. TEXT: the host, the name of a PEM file, and records as in a zone */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../addrd/rewriter.h"
#include "address/idn.h"
#include "address/scan.h"
#include "base/ascii.h"
#include "base/base64.h"
#include "base/number.h"
#include "conf/instance.h"
#include "sasl/client.h"
#include "sasl/server.h"
#include "tls/dane.h"

enum { PROBE_ARENA_BYTES = 8 << 20, PROBE_LINE_BYTES = 65536 };

static void print(struct span text)
{
    (void)fwrite(text.bytes, 1, text.length, stdout);
}

static void scan(struct span text, enum address_scan_style style, struct arena *arena)
{
    struct address_found found;
    size_t position = 0;
    const char *separator = "";

    while (address_scan_next(text, style, &position, arena, &found) == PARSE_OK) {
        (void)fputs(separator, stdout);
        print(found.local_part);
        (void)fputs(found.has_at ? "@" : "", stdout);
        print(found.domain);
        separator = ", ";
    }
}

static void quote(struct span text, struct arena *arena)
{
    struct mailbox mailbox;
    const size_t at = span_find_last_byte(text, '@');
    if (mailbox_set(&mailbox, span_first(text, at), span_after(text, at + 1), arena))
        print(mailbox.text);
    else
        (void)fputs("no", stdout);
}

static bool is_header_address(struct span text, struct arena *arena)
{
    struct address_found found;
    size_t position = 0;

    if (address_scan_next(text, ADDRESS_SCAN_HEADER, &position, arena, &found) != PARSE_OK ||
        !found.has_at)
        return false;
    return address_scan_next(text, ADDRESS_SCAN_HEADER, &position, arena, &found) ==
           PARSE_NEED_MORE;
}

static void complete(struct resolver *resolver, struct span remote_domain, struct span text,
                     struct arena *arena)
{
    struct search search = {.resolver = resolver, .arena = arena};
    struct mailbox mailbox;
    if (mailbox_parse(text, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, arena, &mailbox) == PARSE_OK &&
        rewriter_complete(&search, remote_domain, &mailbox))
        print(mailbox.text);
    else
        (void)fputs("no", stdout);
}

static void rewrite(struct resolver *resolver, enum addr_rewriting kind, struct span text,
                    struct arena *arena)
{
    struct span rewritten;
    const struct outcome outcome = rewriter_rewrite(resolver, kind, text, arena, &rewritten);
    if (outcome_is_ok(&outcome))
        print(rewritten);
    else
        (void)fputs("later", stdout);
}

static struct span next_field(struct span *rest)
{
    struct span field, after;
    if (!span_split_once(*rest, '\t', &field, &after))
        after = span_empty();
    *rest = after;
    return field;
}

static bool scram_mechanism(struct span hash, enum sasl_mechanism *mechanism, struct arena *arena)
{
    const struct span name = arena_format(arena, "SCRAM-%.*s", SPAN_PRINTF(hash));
    return name.bytes && sasl_mechanism_from_name(name, mechanism);
}

/* One user; others are unknown. */
static void scram(struct span text, struct arena *arena)
{
    struct sasl_server_config config = {.salt_secret = SPAN("secret")};
    struct sasl_server_event event;
    struct scram_verifier verifier;
    struct buffer salt;
    uint64_t iterations = 0;
    bool is_plus;
    enum sasl_hash hash;

    const bool is_known = scram_mechanism(next_field(&text), &config.mechanism, arena) &&
                          sasl_mechanism_is_scram(config.mechanism, &hash, &is_plus);
    const struct span user = next_field(&text), password = next_field(&text);
    buffer_init(&salt, arena, SCRAM_SALT_MAX_BYTES);
    if (!is_known || base64_decode(next_field(&text), &salt) != PARSE_OK ||
        !number_parse_uint64(next_field(&text), SCRAM_ITERATIONS_MAX, &iterations) ||
        !scram_verifier_derive(hash, password, buffer_span(&salt), (uint32_t)iterations,
                               &verifier)) {
        (void)fputs("what?", stdout);
        return;
    }
    config.nonce = next_field(&text);
    struct sasl_server *server = sasl_server_create(&config, arena);
    if (!server)
        return;
    const struct span first = next_field(&text);
    sasl_server_start(server, &first, &event);
    for (;;) {
        if (event.step == SASL_SERVER_NEED_SCRAM_VERIFIER)
            sasl_server_answer_verifier(
                server, span_equals(event.user, user) ? SASL_ANSWER_YES : SASL_ANSWER_NO, &verifier,
                &event);
        if (event.has_message)
            print(event.message);
        (void)putchar('\t');
        if (event.step != SASL_SERVER_CHALLENGE)
            break;
        sasl_server_step(server, next_field(&text), &event);
    }
    (void)fputs(event.step == SASL_SERVER_SUCCESS ? "yes" : "no", stdout);
}

static void scram_client(struct span text, struct arena *arena)
{
    struct sasl_client_config config = {.server_offers_plus = false};
    struct sasl_client_event event;

    if (!scram_mechanism(next_field(&text), &config.mechanism, arena)) {
        (void)fputs("what?", stdout);
        return;
    }
    config.user = next_field(&text);
    config.secret = next_field(&text);
    config.authzid = next_field(&text);
    config.nonce = next_field(&text);
    struct sasl_client *client = sasl_client_create(&config, arena);
    if (!client)
        return;
    sasl_client_start(client, &event);
    while (!event.has_failed) {
        print(event.message);
        (void)putchar('\t');
        if (span_is_empty(text))
            break;
        sasl_client_step(client, next_field(&text), &event);
    }
    (void)fputs(sasl_client_finish(client, NULL) ? "yes" : "no", stdout);
}

/* "3 1 1 AB12"; the data is the arena's. */
static bool read_record(struct span text, struct arena *arena, struct tls_dane_record *record)
{
    uint64_t numbers[3];
    struct span word;
    size_t length = 0;
    for (size_t i = 0; i < 3; i++)
        if (!span_next_word(&text, " ", &word) ||
            !number_parse_uint64(word, UINT8_MAX, &numbers[i]))
            return false;
    if (!span_next_word(&text, " ", &word))
        return false;
    uint8_t *bytes = arena_alloc(arena, word.length / 2 + 1);
    for (; bytes && 2 * length + 1 < word.length; length++)
        bytes[length] = (uint8_t)(ascii_hex_value(word.bytes[2 * length]) << 4 |
                                  ascii_hex_value(word.bytes[2 * length + 1]));
    *record = (struct tls_dane_record){(uint8_t)numbers[0], (uint8_t)numbers[1],
                                       (uint8_t)numbers[2], span_of(bytes, length)};
    return bytes != NULL;
}

static STACK_OF(X509) * read_chain(struct span path, struct arena *arena)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    const char *name = arena_string(arena, path);
    FILE *file = name ? fopen(name, "r") : NULL;
    for (X509 *certificate; file && (certificate = PEM_read_X509(file, NULL, NULL, NULL));)
        (void)sk_X509_push(chain, certificate);
    if (file)
        (void)fclose(file);
    return chain;
}

/* As libssl does it when a server shows the chain. */
static void verify(SSL_CTX *context, SSL *ssl, STACK_OF(X509) * chain)
{
    X509_STORE_CTX *store = X509_STORE_CTX_new();
    if (store && X509_STORE_CTX_init(store, SSL_CTX_get_cert_store(context),
                                     sk_X509_value(chain, 0), chain) == 1) {
        X509_STORE_CTX_set0_dane(store, SSL_get0_dane(ssl));
        (void)X509_STORE_CTX_set_default(store, "ssl_server");
        (void)X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(store), SSL_get0_param(ssl));
        (void)X509_verify_cert(store);
        SSL_set_verify_result(ssl, X509_STORE_CTX_get_error(store));
    }
    (void)printf("%ld %d", SSL_get_verify_result(ssl), SSL_get0_dane_authority(ssl, NULL, NULL));
    X509_STORE_CTX_free(store);
}

static void dane(struct span text, struct arena *arena)
{
    struct tls_dane_record *records = arena_alloc(arena, TLS_DANE_RECORDS_MAX * sizeof(*records));
    struct tls_dane_digests *digests = arena_alloc(arena, sizeof(*digests));
    struct span bad_word;
    size_t count = 0;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;
    const struct span host = next_field(&text);
    STACK_OF(X509) *chain = read_chain(next_field(&text), arena);
    if (records && digests &&
        tls_dane_digests_parse(SPAN("sha512 sha256"), digests, &bad_word) == PARSE_OK &&
        tls_dane_enable(context, digests))
        ssl = SSL_new(context);
    while (ssl && !span_is_empty(text) && count < TLS_DANE_RECORDS_MAX)
        if (read_record(next_field(&text), arena, &records[count]) &&
            tls_dane_is_usable(&records[count], digests))
            count++;
    if (ssl && count > 0 && tls_dane_apply(ssl, records, count, &host, 1))
        verify(context, ssl, chain);
    else
        (void)fputs("unusable", stdout);
    ERR_clear_error();
    sk_X509_pop_free(chain, X509_free);
    SSL_free(ssl);
    SSL_CTX_free(context);
}

static void answer(struct resolver *resolver, struct span command, struct span text,
                   struct arena *arena)
{
    const struct span remote = resolver->settings->remote_header_rewrite_domain;
    struct mailbox mailbox;
    struct span ascii;

    if (span_equals(command, SPAN("mailbox")))
        (void)fputs(mailbox_parse(text, 0, arena, &mailbox) == PARSE_OK ? "ok" : "no", stdout);
    else if (span_equals(command, SPAN("header")))
        (void)fputs(is_header_address(text, arena) ? "ok" : "no", stdout);
    else if (span_equals(command, SPAN("scan")))
        scan(text, ADDRESS_SCAN_HEADER, arena);
    else if (span_equals(command, SPAN("values")))
        scan(text, ADDRESS_SCAN_VALUE, arena);
    else if (span_equals(command, SPAN("quote")))
        quote(text, arena);
    else if (span_equals(command, SPAN("idn")) &&
             address_domain_check(text, ADDRESS_ALLOW_UTF8) == PARSE_OK &&
             address_domain_to_ascii(text, arena, &ascii) == PARSE_OK)
        print(ascii);
    else if (span_equals(command, SPAN("idn")))
        (void)fputs("(error)", stdout);
    else if (span_equals(command, SPAN("complete")))
        complete(resolver, span_empty(), text, arena);
    else if (span_equals(command, SPAN("remote")))
        complete(resolver, remote, text, arena);
    else if (span_equals(command, SPAN("sender")))
        rewrite(resolver, ADDR_REWRITE_ENVELOPE_SENDER, text, arena);
    else if (span_equals(command, SPAN("generic")))
        rewrite(resolver, ADDR_REWRITE_GENERIC, text, arena);
    else if (span_equals(command, SPAN("scram")))
        scram(text, arena);
    else if (span_equals(command, SPAN("scram-client")))
        scram_client(text, arena);
    else if (span_equals(command, SPAN("dane")))
        dane(text, arena);
    else
        (void)fputs("what?", stdout);
    (void)putchar('\n');
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    static char text[PROBE_LINE_BYTES];
    struct conf_addrd settings;
    struct conf_error error;
    struct arena settings_arena;
    struct resolver resolver = {.settings = &settings};
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

    if (!file)
        return 2;
    (void)fclose(file);
    text[length] = '\0';
    arena_init(&settings_arena, PROBE_ARENA_BYTES, 0);
    if (!conf_test_settings(&conf_part_addrd, text, &settings_arena, &settings, &error) ||
        !addr_tables_open(&resolver.tables, &settings, NULL)) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 2;
    }
    for (char *line = NULL; (line = fgets(text, sizeof(text), stdin)) != NULL;) {
        struct span command, rest;
        struct arena arena;
        arena_init(&arena, PROBE_ARENA_BYTES, 0);
        struct span whole = span_from_string(line);
        if (whole.length && whole.bytes[whole.length - 1] == '\n')
            whole.length--;
        (void)span_split_once(whole, ' ', &command, &rest);
        /* Two bytes that no line can hold otherwise. */
        uint8_t *bytes = arena_alloc(&arena, rest.length + 1);
        size_t kept = 0;
        for (size_t i = 0; bytes && i < rest.length; i++) {
            const bool is_escape = rest.bytes[i] == '\x01' && i + 1 < rest.length;
            bytes[kept++] = is_escape ? (uint8_t)(rest.bytes[++i] - 'A') : rest.bytes[i];
        }
        if (bytes)
            answer(&resolver, command, span_of(bytes, kept), &arena);
        arena_destroy(&arena);
    }
    addr_tables_close(&resolver.tables);
    arena_destroy(&settings_arena);
    return 0;
}
