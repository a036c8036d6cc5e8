/* tls/check - see check.h. */
#include "tls/check.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>
#include <unistd.h>

#include "base/ascii.h"
#include "tls/ciphers.h"
#include "tls/options.h"
#include "tls/protocols.h"

enum { SHOWN_MAX_BYTES = 100 };

/* False, with what is wrong in *bad_word and what is allowed as the result's text. */
typedef bool check_function(struct span value, struct span *bad_word);

static bool check_protocols(struct span value, struct span *bad_word)
{
    unsigned protocols;
    return tls_protocols_parse(value, &protocols, bad_word) == PARSE_OK;
}

static bool check_cipher_list(struct span value, struct span *bad_word)
{
    return tls_cipher_words_check(value, false, bad_word);
}

static bool check_exclusions(struct span value, struct span *bad_word)
{
    return tls_cipher_words_check(value, true, bad_word);
}

static bool check_options(struct span value, struct span *bad_word)
{
    uint64_t bits;
    return tls_options_parse(value, TLS_OPTION_KIND_OPTION, &bits, bad_word) == PARSE_OK;
}

static bool check_workarounds(struct span value, struct span *bad_word)
{
    uint64_t bits;
    return tls_options_parse(value, TLS_OPTION_KIND_WORKAROUND, &bits, bad_word) == PARSE_OK;
}

static bool check_groups(struct span value, struct span *bad_word)
{
    struct span word;
    while (span_next_word(&value, ", \t\r\n:", &word))
        for (size_t i = 0; i < word.length; i++)
            if (!ascii_is_alpha(word.bytes[i]) && !ascii_is_digit(word.bytes[i]) &&
                !span_byte_is_one_of(word, i, "_-.", 3)) {
                *bad_word = word;
                return false;
            }
    return true;
}

static const struct {
    struct span name_end; /* of the parameter's name */
    check_function *check;
    const char *allowed;
} checks[] = {
    {SPAN_LITERAL("_tls_protocols"), check_protocols,
     ">=TLSv1.2 is allowed, <=TLSv1.3, TLSv1.2 and other versions, and !TLSv1.1"},
    {SPAN_LITERAL("_tls_mandatory_protocols"), check_protocols,
     ">=TLSv1.2 is allowed, <=TLSv1.3, TLSv1.2 and other versions, and !TLSv1.1"},
    {SPAN_LITERAL("_exclude_ciphers"), check_exclusions,
     "names of ciphers or of kinds of them are allowed, without !, +, - or @ before them"},
    {SPAN_LITERAL("_cipherlist"), check_cipher_list, "a cipher list of OpenSSL is allowed"},
    {SPAN_LITERAL("tls_ssl_options"), check_options,
     "names of OpenSSL's options without SSL_OP_ are allowed, or a number after 0x"},
    {SPAN_LITERAL("tls_disable_workarounds"), check_workarounds,
     "names of OpenSSL's workarounds without SSL_OP_ are allowed, or a number after 0x"},
    {SPAN_LITERAL("tls_eecdh_auto_curves"), check_groups, "names of curves are allowed"},
    {SPAN_LITERAL("tls_ffdhe_auto_groups"), check_groups, "names of groups are allowed"},
};

/* Texts of other servers' times allow more than there is. */
static void check_age(struct span name, struct span value, struct span origin,
                      struct conf_notices *notices)
{
    unsigned protocols;
    struct span bad_word;
    if (span_starts_with(name, SPAN("smtpd_tls_")) && span_ends_with(name, SPAN("_protocols")) &&
        tls_protocols_parse(value, &protocols, &bad_word) == PARSE_OK &&
        (protocols & ~(unsigned)TLS_PROTOCOLS_SIGNED))
        conf_notice_add(notices, CONF_NOTICE_WARNING,
                        "%.*s %.*s = %.*s: TLS 1.2 is the oldest version that is spoken to clients",
                        SPAN_PRINTF(origin), SPAN_PRINTF(name),
                        SPAN_PRINTF(span_first(value, SHOWN_MAX_BYTES)));
}

/* Whether a certificate is in the file, among whatever else; they are understood when needed. */
static bool file_has_certificate(const char *path)
{
    BIO *bio = BIO_new_file(path, "r");
    char *name = NULL, *header = NULL;
    unsigned char *bytes = NULL;
    bool is_found = false;
    long length;
    while (bio && !is_found && PEM_read_bio(bio, &name, &header, &bytes, &length) == 1) {
        is_found = strstr(name, PEM_STRING_X509) != NULL;
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(bytes);
    }
    ERR_clear_error();
    BIO_free(bio);
    return is_found;
}

/* A server goes on without, and trusts nobody; a client reads its authorities before it starts. */
static void check_file(struct span name, struct span value, struct span origin,
                       struct conf_notices *notices)
{
    const bool is_file = span_ends_with(name, SPAN("_tls_CAfile"));
    if ((!is_file && !span_ends_with(name, SPAN("_tls_CApath"))) || span_is_empty(value))
        return;
    const char *path = arena_string(notices->arena, value);
    const bool is_client =
        span_starts_with(name, SPAN("smtp_")) || span_starts_with(name, SPAN("lmtp_"));
    if (path && access(path, is_file ? R_OK : R_OK | X_OK) != 0)
        conf_notice_add(notices, is_client ? CONF_NOTICE_ERROR : CONF_NOTICE_WARNING,
                        "%.*s %.*s = %.*s: %s%s", SPAN_PRINTF(origin), SPAN_PRINTF(name),
                        SPAN_PRINTF(span_first(value, SHOWN_MAX_BYTES)), strerrordesc_np(errno),
                        is_client ? ": correct the name, or take the setting out"
                                  : "; nobody is trusted by it");
    else if (path && is_client && is_file && !file_has_certificate(path))
        conf_notice_add(notices, CONF_NOTICE_ERROR, "%.*s %.*s = %.*s: no certificate is in it",
                        SPAN_PRINTF(origin), SPAN_PRINTF(name),
                        SPAN_PRINTF(span_first(value, SHOWN_MAX_BYTES)));
}

static void check_digest(struct span name, struct span value, struct span origin,
                         struct conf_notices *notices)
{
    const char *digest = arena_string(notices->arena, value);
    if (span_ends_with(name, SPAN("_tls_fingerprint_digest")) && digest &&
        !EVP_get_digestbyname(digest))
        conf_notice_add(notices, CONF_NOTICE_ERROR,
                        "%.*s %.*s = %.*s: no digest is called so: sha256, sha512 and others of "
                        "OpenSSL are allowed",
                        SPAN_PRINTF(origin), SPAN_PRINTF(name),
                        SPAN_PRINTF(span_first(value, SHOWN_MAX_BYTES)));
}

void tls_check_setting(struct span name, struct span value, struct span origin,
                       struct conf_notices *notices)
{
    struct span bad_word = span_empty();
    check_age(name, value, origin, notices);
    check_file(name, value, origin, notices);
    check_digest(name, value, origin, notices);
    for (size_t i = 0; i < ARRAY_LENGTH(checks); i++) {
        if (!span_ends_with(name, checks[i].name_end) || checks[i].check(value, &bad_word))
            continue;
        if (span_is_empty(bad_word))
            conf_notice_add(notices, CONF_NOTICE_ERROR,
                            "%.*s %.*s = %.*s: nothing is left that could be spoken",
                            SPAN_PRINTF(origin), SPAN_PRINTF(name),
                            SPAN_PRINTF(span_first(value, SHOWN_MAX_BYTES)));
        else
            conf_notice_add(notices, CONF_NOTICE_ERROR, "%.*s %.*s: unknown word \"%.*s\": %s",
                            SPAN_PRINTF(origin), SPAN_PRINTF(name),
                            SPAN_PRINTF(span_first(bad_word, SHOWN_MAX_BYTES)), checks[i].allowed);
        return;
    }
}

/* ---- services ---- */

static bool has_value(const struct conf_instance *instance, const struct conf_service *service,
                      struct span name, struct span value)
{
    struct conf_error ignored; /* said elsewhere */
    struct buffer text;
    buffer_init(&text, NULL, CONF_TEXT_MAX);
    const bool is_there =
        conf_instance_value(instance, service, name, &text, &ignored) &&
        (span_is_empty(value) ? text.length > 0
                              : span_equals_ascii_nocase(buffer_span(&text), value));
    buffer_release(&text);
    return is_there;
}

static bool demands_tls(const struct conf_instance *instance, const struct conf_service *service)
{
    const struct span level = SPAN("smtpd_tls_security_level");
    return has_value(instance, service, SPAN("smtpd_tls_wrappermode"), SPAN("yes")) ||
           has_value(instance, service, level, SPAN("encrypt")) ||
           (!has_value(instance, service, level, span_empty()) &&
            has_value(instance, service, SPAN("smtpd_enforce_tls"), SPAN("yes")));
}

static bool has_certificate(const struct conf_instance *instance,
                            const struct conf_service *service)
{
    static const struct span names[] = {
        SPAN_LITERAL("smtpd_tls_chain_files"), SPAN_LITERAL("smtpd_tls_cert_file"),
        SPAN_LITERAL("smtpd_tls_eccert_file"), SPAN_LITERAL("tls_server_sni_maps")};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (has_value(instance, service, names[i], span_empty()) &&
            !has_value(instance, service, names[i], SPAN("none")))
            return true;
    return false;
}

/* Before anybody can log in at all submitd stands idle, as it is installed. */
static bool has_users(const struct conf_instance *instance, const struct conf_service *service)
{
    return has_value(instance, service, SPAN("auth_databases"), span_empty()) ||
           has_value(instance, service, SPAN("auth_oauth2_keys"), span_empty()) ||
           has_value(instance, service, SPAN("auth_oauth2_introspection_url"), span_empty()) ||
           has_value(instance, service, SPAN("smtpd_sasl_type"), SPAN("dovecot"));
}

/* submitd demands TLS whatever the settings say. */
static bool is_deaf(const struct conf_instance *instance, const struct conf_service *service)
{
    const bool demands =
        span_equals(service->program, SPAN("submitd"))
            ? has_users(instance, service)
            : span_equals(service->program, SPAN("smtpd")) && demands_tls(instance, service);
    return demands && !has_certificate(instance, service);
}

void tls_check_services(const struct conf_instance *instance, struct conf_notices *notices)
{
    for (size_t i = 0; i < instance->master.service_count; i++) {
        const struct conf_service *service = &instance->master.services[i];
        if (is_deaf(instance, service))
            conf_notice_add(notices, CONF_NOTICE_WARNING,
                            "%.*s, line %u: %.*s demands TLS and has no certificate, so that it "
                            "serves nobody: smtpd_tls_chain_files names files with a key and its "
                            "certificates",
                            SPAN_PRINTF(instance->master.file), service->line,
                            SPAN_PRINTF(span_first(conf_service_name(service), SHOWN_MAX_BYTES)));
    }
}
