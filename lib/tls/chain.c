/* tls/chain - see chain.h. */
#include "tls/chain.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>

enum { COMPLAINT_MAX_BYTES = 700, SUBJECT_MAX_BYTES = 100, DATE_MAX_BYTES = 64, PARTS_MAX = 200 };

/* Everything that a complaint ends with. */
static const char then_reload[] = "; then run posthouse reload";

static void complain(struct tls_chains *chains, const char *format, ...) PRINTF_LIKE(2, 3);

static void complain(struct tls_chains *chains, const char *format, ...)
{
    char text[COMPLAINT_MAX_BYTES];
    va_list arguments;
    chains->complaint_count++;
    if (!chains->complain)
        return;
    const int start = snprintf(text, sizeof(text), "%s: ", chains->setting);
    if (start < 0 || (size_t)start >= sizeof(text))
        return;
    va_start(arguments, format);
    const int length =
        vsnprintf(text + start, sizeof(text) - (size_t)start, format, arguments) + start;
    va_end(arguments);
    if (length > 0 && (size_t)length < sizeof(text))
        (void)snprintf(text + length, sizeof(text) - (size_t)length, "%s", then_reload);
    chains->complain(chains->context, text);
}

void tls_chains_complain_of_file(struct tls_chains *chains, const char *path, int error)
{
    complain(chains, "open %s: %s: %s", path, strerrordesc_np(error),
             error == EACCES ? "let its owner, or root, read it"
                             : "correct the name, or put the "
                               "file there");
}

void tls_chains_init(struct tls_chains *chains, const char *setting, time_t now,
                     void (*complain_to)(void *context, const char *text), void *context)
{
    *chains = (struct tls_chains){
        .setting = setting, .now = now, .complain = complain_to, .context = context};
}

static void clear(struct tls_chain *chain)
{
    EVP_PKEY_free(chain->key);
    sk_X509_pop_free(chain->certificates, X509_free);
    *chain = (struct tls_chain){.key = NULL};
}

void tls_chains_clear(struct tls_chains *chains)
{
    while (chains->count > 0)
        clear(&chains->items[--chains->count]);
    chains->is_open = chains->is_skipped = false;
}

static const char *show_subject(const X509 *certificate, char text[SUBJECT_MAX_BYTES])
{
    text[0] = '\0';
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text,
                                    SUBJECT_MAX_BYTES); /* else it has none, and none is shown */
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || (unsigned char)*at == 0x7f)
            *at = '?';
    return text;
}

static void show_date(const ASN1_TIME *time, char text[DATE_MAX_BYTES])
{
    struct tm date;
    text[0] = '\0';
    if (ASN1_TIME_to_tm(time, &date) == 1)
        (void)strftime(text, DATE_MAX_BYTES, "%Y-%m-%d %H:%M:%S UTC", &date);
}

/* ---- what PEM has ---- */

enum part_kind { PART_CERTIFICATE, PART_KEY, PART_ENCRYPTED_KEY, PART_OTHER };

struct part {
    char *name;
    char *header;
    unsigned char *bytes;
    long length;
};

static void free_part(struct part *part)
{
    OPENSSL_free(part->name);
    OPENSSL_free(part->header);
    OPENSSL_clear_free(part->bytes, part->length > 0 ? (size_t)part->length : 0);
}

static enum part_kind kind_of(const struct part *part)
{
    const struct span name = span_from_string(part->name);
    if (span_equals(name, SPAN("CERTIFICATE")) || span_equals(name, SPAN("X509 CERTIFICATE")))
        return PART_CERTIFICATE;
    if (!span_ends_with(name, SPAN("PRIVATE KEY")))
        return PART_OTHER;
    const struct span header = span_from_string(part->header);
    if (span_equals(name, SPAN("ENCRYPTED PRIVATE KEY")) ||
        span_find(header, SPAN("ENCRYPTED")) < header.length)
        return PART_ENCRYPTED_KEY;
    return PART_KEY;
}

static X509 *read_certificate(const struct part *part)
{
    const unsigned char *position = part->bytes;
    X509 *certificate = d2i_X509(NULL, &position, part->length);
    if (certificate && !X509_get0_pubkey(certificate)) {
        X509_free(certificate);
        certificate = NULL;
    }
    return certificate;
}

static bool is_usable(EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "EC") || EVP_PKEY_is_a(key, "ED25519");
}

/* NULL after a complaint. */
static EVP_PKEY *read_key(struct tls_chains *chains, const struct part *part, const char *source)
{
    const unsigned char *position = part->bytes;
    if (kind_of(part) == PART_ENCRYPTED_KEY) {
        complain(chains,
                 "the private key in %s is encrypted, and nobody is there to type its password: "
                 "write it without one (openssl pkey -in FILE -out NEW) and let only root read it",
                 source);
        return NULL;
    }
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &position, part->length);
    if (!key) {
        complain(chains, "the private key in %s is damaged: make the file anew", source);
    } else if (!is_usable(key)) {
        complain(chains,
                 "the private key in %s is of another kind than RSA, ECDSA or Ed25519: get a "
                 "certificate for a key of one of these",
                 source);
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

/* ---- items ---- */

/* Its first certificate is there: does it do? */
static bool check_certificate(struct tls_chains *chains, const struct tls_chain *chain,
                              const char *source, const char *key_source)
{
    char subject[SUBJECT_MAX_BYTES], date[DATE_MAX_BYTES];
    X509 *certificate = sk_X509_value(chain->certificates, 0);
    const ASN1_TIME *end = X509_get0_notAfter(certificate);
    time_t now = chains->now;
    if (X509_check_private_key(certificate, chain->key) != 1) {
        complain(chains,
                 "the private key in %s does not belong to the certificate \"%s\" in %s: name the "
                 "key and the certificate that were made together, each key before its certificate",
                 key_source, show_subject(certificate, subject), source);
        return false;
    }
    if (X509_cmp_time(end, &now) >= 0)
        return true;
    show_date(end, date);
    complain(chains, "the certificate \"%s\" in %s expired on %s: renew it",
             show_subject(certificate, subject), source, date);
    return false;
}

/* An issuer that has expired is sent all the same: some clients are served by it. */
static void add_certificate(struct tls_chains *chains, X509 *certificate, const char *source,
                            const char *key_source)
{
    struct tls_chain *chain = &chains->items[chains->count - 1];
    if (sk_X509_push(chain->certificates, certificate) <= 0) {
        X509_free(certificate);
        return;
    }
    if (sk_X509_num(chain->certificates) == 1 &&
        !check_certificate(chains, chain, source, key_source)) {
        clear(chain);
        chains->count--;
        chains->is_open = false;
        chains->is_skipped = true;
    }
}

static bool has_certificate(const struct tls_chains *chains)
{
    return sk_X509_num(chains->items[chains->count - 1].certificates) > 0;
}

/* The last key, if it has got no certificate. */
static void end_item(struct tls_chains *chains, const char *source)
{
    struct buffer der;
    struct tls_chain *chain = chains->is_open ? &chains->items[chains->count - 1] : NULL;
    chains->is_open = false;
    if (!chain)
        return;
    if (!has_certificate(chains)) {
        complain(chains,
                 "no certificate follows the private key in %s: put the key's certificate behind "
                 "it",
                 source);
    } else {
        buffer_init(&der, NULL, TLS_CHAIN_MAX_BYTES);
        const bool fits = tls_chain_encode(chain, &der);
        buffer_release(&der);
        if (fits)
            return;
        complain(chains,
                 "the certificates in %s are more than %d bytes together: leave out those of "
                 "issuers that clients know",
                 source, (int)TLS_CHAIN_MAX_BYTES);
    }
    clear(chain);
    chains->count--;
}

static void begin_item(struct tls_chains *chains, EVP_PKEY *key, const char *source)
{
    end_item(chains, source);
    chains->is_skipped = true;
    if (!key)
        return;
    if (chains->count == TLS_CHAINS_MAX) {
        complain(chains, "there are more than %d private keys: one of each kind is enough",
                 (int)TLS_CHAINS_MAX);
        EVP_PKEY_free(key);
        return;
    }
    struct tls_chain *chain = &chains->items[chains->count];
    *chain = (struct tls_chain){.key = key, .certificates = sk_X509_new_null()};
    if (!chain->certificates || !tls_key_digest(key, chain->digest)) {
        complain(chains, "the private key in %s cannot be used: out of memory", source);
        clear(chain);
        return;
    }
    chains->count++;
    chains->is_open = true;
    chains->is_skipped = false;
}

static void take_part(struct tls_chains *chains, const struct part *part, const char *source)
{
    const enum part_kind kind = kind_of(part);
    if (kind == PART_OTHER)
        return;
    if (kind != PART_CERTIFICATE) {
        begin_item(chains, read_key(chains, part, source), source);
        return;
    }
    if (chains->is_skipped)
        return;
    X509 *certificate = read_certificate(part);
    if (certificate && chains->is_open) {
        add_certificate(chains, certificate, source, source);
        return;
    }
    X509_free(certificate);
    if (!certificate)
        complain(chains, "a certificate in %s is damaged: make the file anew", source);
    else
        complain(chains,
                 "a certificate in %s comes before its private key: put the key first, the "
                 "certificates behind it",
                 source);
    end_item(chains, source);
    chains->is_skipped = true;
}

/* Each part of the text, until visit returns false; how many there were. */
static size_t walk(struct span pem, bool (*visit)(void *context, const struct part *part),
                   void *context)
{
    BIO *bio = pem.length <= INT_MAX ? BIO_new_mem_buf(pem.bytes, (int)pem.length) : NULL;
    size_t count = 0;
    bool goes_on = bio != NULL;
    while (goes_on && count < PARTS_MAX) {
        struct part part = {.name = NULL};
        if (PEM_read_bio(bio, &part.name, &part.header, &part.bytes, &part.length) != 1)
            break;
        count++;
        goes_on = visit(context, &part);
        free_part(&part);
    }
    BIO_free(bio);
    ERR_clear_error();
    return count;
}

struct reading {
    struct tls_chains *chains;
    const char *source;
    const char *key_source;
    EVP_PKEY *key;
    bool is_done;
};

static bool read_part(void *context, const struct part *part)
{
    struct reading *reading = context;
    take_part(reading->chains, part, reading->source);
    return true;
}

void tls_chains_read(struct tls_chains *chains, struct span pem, const char *source)
{
    struct reading reading = {.chains = chains, .source = source};
    if (walk(pem, read_part, &reading) == 0)
        complain(chains, "%s has no PEM in it: a private key and its certificates are expected",
                 source);
}

static bool read_first_key(void *context, const struct part *part)
{
    struct reading *reading = context;
    const enum part_kind kind = kind_of(part);
    if (kind != PART_KEY && kind != PART_ENCRYPTED_KEY)
        return true;
    reading->is_done = true;
    reading->key = read_key(reading->chains, part, reading->key_source);
    return false;
}

static bool read_next_certificate(void *context, const struct part *part)
{
    struct reading *reading = context;
    if (kind_of(part) != PART_CERTIFICATE)
        return true;
    reading->is_done = true;
    X509 *certificate = read_certificate(part);
    if (certificate)
        add_certificate(reading->chains, certificate, reading->source, reading->key_source);
    else
        complain(reading->chains, "a certificate in %s is damaged: make the file anew",
                 reading->source);
    return certificate && reading->chains->is_open;
}

void tls_chains_read_pair(struct tls_chains *chains, struct span certificates,
                          const char *certificates_source, struct span key, const char *key_source)
{
    struct reading reading = {
        .chains = chains, .source = certificates_source, .key_source = key_source};
    tls_chains_finish(chains);
    (void)walk(key, read_first_key, &reading);
    if (!reading.is_done)
        complain(chains, "there is no private key in %s: name the file that has it", key_source);
    if (!reading.key)
        return;
    begin_item(chains, reading.key, key_source);
    reading.is_done = false;
    if (chains->is_open)
        (void)walk(certificates, read_next_certificate, &reading);
    if (!reading.is_done && chains->is_open) {
        complain(chains, "there is no certificate in %s: name the file that has it",
                 certificates_source);
        clear(&chains->items[--chains->count]);
        chains->is_open = false;
    }
    end_item(chains, certificates_source);
}

void tls_chains_finish(struct tls_chains *chains)
{
    end_item(chains, "the last file");
    chains->is_skipped = false;
}

bool tls_chain_ends_before(const struct tls_chain *chain, time_t then,
                           char text[TLS_CHAIN_TEXT_BYTES])
{
    char subject[SUBJECT_MAX_BYTES], date[DATE_MAX_BYTES];
    const X509 *certificate = sk_X509_value(chain->certificates, 0);
    const ASN1_TIME *end = X509_get0_notAfter(certificate);
    if (X509_cmp_time(end, &then) >= 0)
        return false;
    show_date(end, date);
    (void)snprintf(text, TLS_CHAIN_TEXT_BYTES, "the certificate \"%s\", good until %s",
                   show_subject(certificate, subject), date);
    return true;
}

bool tls_chain_encode(const struct tls_chain *chain, struct buffer *der)
{
    const size_t before = der->length;
    for (int i = 0; i < sk_X509_num(chain->certificates); i++) {
        unsigned char *bytes = NULL;
        const int length = i2d_X509(sk_X509_value(chain->certificates, i), &bytes);
        if (length > 0)
            buffer_append(der, bytes, (size_t)length);
        OPENSSL_free(bytes);
        if (length <= 0)
            return false;
    }
    return buffer_ok(der) && der->length - before <= TLS_CHAIN_MAX_BYTES;
}
