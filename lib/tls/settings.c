/* tls/settings - see settings.h. */
#include "tls/settings.h"

#include <openssl/err.h>
#include <string.h>

#include "tls/options.h"
#include "tls/protocols.h"

enum { GROUPS_MAX_BYTES = 1024, SHOWN_MAX_BYTES = 100 };

static const struct {
    int version;
    uint64_t refusal;
} protocols_of_openssl[TLS_PROTOCOL_COUNT] = {
    [TLS_PROTOCOL_SSL3] = {SSL3_VERSION, SSL_OP_NO_SSLv3},
    [TLS_PROTOCOL_1_0] = {TLS1_VERSION, SSL_OP_NO_TLSv1},
    [TLS_PROTOCOL_1_1] = {TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
    [TLS_PROTOCOL_1_2] = {TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
    [TLS_PROTOCOL_1_3] = {TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};

uint64_t tls_settings_protocol_options(unsigned protocols)
{
    uint64_t refusals = 0;
    for (unsigned i = 0; i < TLS_PROTOCOL_COUNT; i++)
        if (!(protocols >> i & 1))
            refusals |= protocols_of_openssl[i].refusal;
    return refusals;
}

static bool apply_protocols(const struct tls_settings *settings, SSL_CTX *context,
                            unsigned *protocols, struct conf_error *error)
{
    struct span bad_word = span_empty();
    const enum parse_result result = tls_protocols_parse(settings->protocols, protocols, &bad_word);
    *protocols &= ~settings->unspoken;
    if (result != PARSE_OK || *protocols == 0) {
        if (span_is_empty(bad_word))
            conf_error_set(error, "%s_protocols: nothing is left that could be spoken",
                           settings->name);
        else
            conf_error_set(error, "%s_protocols: \"%.*s\" is no protocol", settings->name,
                           SPAN_PRINTF(span_first(bad_word, SHOWN_MAX_BYTES)));
        return false;
    }
    unsigned lowest = 0;
    while (!(*protocols >> lowest & 1))
        lowest++;
    /* The library's own floor, which a distribution may have raised, must not be higher. */
    (void)SSL_CTX_set_min_proto_version(context, protocols_of_openssl[lowest].version);
    (void)SSL_CTX_set_options(context, tls_settings_protocol_options(*protocols));
    return true;
}

bool tls_settings_cipher_list(const struct tls_settings *settings, struct buffer *list,
                              struct conf_error *error)
{
    enum tls_grade grade;
    struct span bad_word;
    if (!tls_grade_find(settings->grade, &grade)) {
        conf_error_set(error, "%s_ciphers: \"%.*s\" is none of " TLS_GRADE_NAMES, settings->name,
                       SPAN_PRINTF(span_first(settings->grade, SHOWN_MAX_BYTES)));
        return false;
    }
    if (!tls_cipher_words_check(settings->excluded_ciphers, true, &bad_word) ||
        !tls_cipher_words_check(settings->also_excluded, true, &bad_word)) {
        conf_error_set(error, "%s_exclude_ciphers: \"%.*s\" is no name of ciphers", settings->name,
                       SPAN_PRINTF(span_first(bad_word, SHOWN_MAX_BYTES)));
        return false;
    }
    buffer_reset(list);
    tls_cipher_list_append(list, settings->cipher_lists[grade]);
    tls_cipher_exclusions_append(list, settings->excluded_ciphers);
    tls_cipher_exclusions_append(list, settings->also_excluded);
    buffer_append_byte(list, '\0');
    if (!buffer_ok(list))
        conf_error_set(error, "%s_exclude_ciphers: the list of ciphers is too long",
                       settings->name);
    return buffer_ok(list);
}

static bool apply_ciphers(const struct tls_settings *settings, SSL_CTX *context,
                          struct conf_error *error)
{
    struct buffer list;
    buffer_init(&list, NULL, TLS_CIPHER_LIST_MAX_BYTES);
    bool is_done = tls_settings_cipher_list(settings, &list, error);
    if (is_done && SSL_CTX_set_cipher_list(context, (const char *)list.bytes) != 1) {
        conf_error_set(error, "%s_ciphers: OpenSSL has no cipher in \"%.300s\"", settings->name,
                       (const char *)list.bytes);
        is_done = false;
    }
    buffer_release(&list);
    return is_done;
}

/* Names that this OpenSSL does not know are passed over: lists name what is new. */
static void append_groups(SSL_CTX *context, struct span names, struct buffer *list)
{
    char name[SHOWN_MAX_BYTES];
    struct span word;
    while (span_next_word(&names, ", \t\r\n:", &word)) {
        if (word.length >= sizeof(name))
            continue;
        memcpy(name, word.bytes, word.length);
        name[word.length] = '\0';
        if (SSL_CTX_set1_groups_list(context, name) != 1)
            continue;
        if (list->length)
            buffer_append_byte(list, ':');
        buffer_append_span(list, word);
    }
}

static bool apply_groups(const struct tls_settings *settings, SSL_CTX *context,
                         struct conf_error *error)
{
    struct buffer list;
    if (span_is_empty(settings->curves) && span_is_empty(settings->groups))
        return true; /* OpenSSL's choice */
    buffer_init(&list, NULL, GROUPS_MAX_BYTES);
    append_groups(context, settings->curves, &list);
    append_groups(context, settings->groups, &list);
    buffer_append_byte(&list, '\0');
    const bool is_done = buffer_ok(&list) && SSL_CTX_set1_groups_list(context, list.bytes) == 1;
    if (!is_done)
        conf_error_set(error, "tls_eecdh_auto_curves, tls_ffdhe_auto_groups: OpenSSL knows none");
    buffer_release(&list);
    return is_done;
}

static bool apply_options(const struct tls_settings *settings, SSL_CTX *context,
                          struct conf_error *error)
{
    uint64_t enabled, disabled;
    struct span bad_word;
    const char *name = "tls_ssl_options";
    enum parse_result result =
        tls_options_parse(settings->options, TLS_OPTION_KIND_OPTION, &enabled, &bad_word);
    if (result == PARSE_OK) {
        name = "tls_disable_workarounds";
        result = tls_options_parse(settings->disabled_workarounds, TLS_OPTION_KIND_WORKAROUND,
                                   &disabled, &bad_word);
    }
    if (result != PARSE_OK) {
        conf_error_set(error, "%s: \"%.*s\" is no option of OpenSSL", name,
                       SPAN_PRINTF(span_first(bad_word, SHOWN_MAX_BYTES)));
        return false;
    }
    (void)SSL_CTX_set_options(context, (SSL_OP_ALL & ~disabled) | enabled | SSL_OP_NO_COMPRESSION |
                                           SSL_OP_NO_RENEGOTIATION);
    (void)SSL_CTX_clear_options(context, SSL_OP_SAFARI_ECDHE_ECDSA_BUG); /* browsers do no SMTP */
    return true;
}

bool tls_settings_apply(const struct tls_settings *settings, SSL_CTX *context,
                        struct conf_error *error)
{
    unsigned protocols;
    ERR_clear_error();
    const bool is_done = apply_protocols(settings, context, &protocols, error);
    /* What is older than TLS 1.2 signs with SHA-1, which OpenSSL 3 does at level 0 only. */
    if (is_done && (protocols & ((1U << TLS_PROTOCOL_1_2) - 1)))
        SSL_CTX_set_security_level(context, 0);
    const bool is_applied = is_done && apply_ciphers(settings, context, error) &&
                            apply_groups(settings, context, error) &&
                            apply_options(settings, context, error);
    ERR_clear_error();
    return is_applied;
}
