/* tls/authorities - see authorities.h. */
#include "tls/authorities.h"

#include <dirent.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "base/ascii.h"
#include "tls/stream.h"

enum { PATH_TEXT_BYTES = 1024 };

static bool load_file(void *context, const char *path, char problem[TLS_AUTHORITIES_PROBLEM_BYTES])
{
    char reason[TLS_REASON_MAX_BYTES];
    X509_STORE *store = context;
    ERR_clear_error();
    if (X509_STORE_load_file(store, path) == 1)
        return true;
    tls_take_error(reason);
    /* A long path leaves no room for the reason. */
    ASSERT(snprintf(problem, TLS_AUTHORITIES_PROBLEM_BYTES, "cannot read certificates from %s: %s",
                    path, reason) > 0);
    return false;
}

/* Eight hexadecimal digits, a dot, a number: what libcrypto would look for. */
static bool is_hashed_name(const char *name)
{
    size_t i = 0;
    while (i < 8 && ascii_hex_value((uint8_t)name[i]) >= 0)
        i++;
    if (i != 8 || name[i++] != '.' || !name[i])
        return false;
    while (name[i] && ascii_is_digit((uint8_t)name[i]))
        i++;
    return name[i] == '\0';
}

static bool visit_directory(const char *path, tls_authorities_take *take, void *context,
                            char problem[TLS_AUTHORITIES_PROBLEM_BYTES])
{
    char file[PATH_TEXT_BYTES], ignored[TLS_AUTHORITIES_PROBLEM_BYTES];
    DIR *directory = opendir(path);
    if (!directory) {
        (void)snprintf(problem, TLS_AUTHORITIES_PROBLEM_BYTES, "cannot open directory %s", path);
        return false;
    }
    for (;;) {
        const struct dirent *entry = readdir(directory);
        if (!entry)
            break;
        if (is_hashed_name(entry->d_name) &&
            snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) < (int)sizeof(file))
            (void)take(context, file, ignored); /* others may do */
    }
    (void)closedir(directory);
    return true;
}

static bool copy_path(struct span path, char text[PATH_TEXT_BYTES],
                      char problem[TLS_AUTHORITIES_PROBLEM_BYTES])
{
    if (snprintf(text, PATH_TEXT_BYTES, "%.*s", SPAN_PRINTF(path)) < PATH_TEXT_BYTES)
        return true;
    (void)snprintf(problem, TLS_AUTHORITIES_PROBLEM_BYTES, "the path is too long");
    return false;
}

bool tls_authorities_visit(const struct tls_authorities *authorities, tls_authorities_take *take,
                           void *context, char problem[TLS_AUTHORITIES_PROBLEM_BYTES])
{
    char path[PATH_TEXT_BYTES], ignored[TLS_AUTHORITIES_PROBLEM_BYTES];
    if (!span_is_empty(authorities->file) &&
        (!copy_path(authorities->file, path, problem) || !take(context, path, problem)))
        return false;
    if (!span_is_empty(authorities->directory) &&
        (!copy_path(authorities->directory, path, problem) ||
         !visit_directory(path, take, context, problem)))
        return false;
    if (authorities->has_defaults) {
        (void)take(context, X509_get_default_cert_file(), ignored);
        (void)visit_directory(X509_get_default_cert_dir(), take, context, ignored);
    }
    ERR_clear_error();
    return true;
}

bool tls_authorities_load(X509_STORE *store, const struct tls_authorities *authorities,
                          char problem[TLS_AUTHORITIES_PROBLEM_BYTES])
{
    return tls_authorities_visit(authorities, load_file, store, problem);
}

/* ---- trust anchors ---- */

static uint8_t selector_of(const char *name)
{
    if (strcmp(name, PEM_STRING_X509) == 0)
        return 0;
    return strcmp(name, PEM_STRING_PUBLIC) == 0 ? 1 : UINT8_MAX;
}

enum parse_result tls_anchors_parse(struct span pem, struct arena *arena,
                                    struct tls_dane_record *anchors, size_t *count)
{
    enum parse_result result = PARSE_OK;
    BIO *bio = pem.length <= INT_MAX ? BIO_new_mem_buf(pem.bytes, (int)pem.length) : NULL;
    *count = 0;
    if (!bio)
        return PARSE_TOO_LONG;
    ERR_clear_error();
    while (result == PARSE_OK) {
        char *name = NULL, *header = NULL;
        unsigned char *bytes = NULL;
        long length = 0;
        if (PEM_read_bio(bio, &name, &header, &bytes, &length) != 1) {
            if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
                result = PARSE_MALFORMED;
            break;
        }
        const struct tls_dane_record record = {
            .usage = TLS_DANE_TA,
            .selector = selector_of(name),
            .data = arena_copy(arena, span_of(bytes, (size_t)length))};
        if (!record.data.bytes || *count == TLS_ANCHORS_MAX)
            result = PARSE_TOO_LONG;
        else if (record.selector == UINT8_MAX)
            result = PARSE_MALFORMED;
        else
            anchors[(*count)++] = record;
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(bytes);
    }
    ERR_clear_error();
    BIO_free(bio);
    return result == PARSE_OK && *count == 0 ? PARSE_MALFORMED : result;
}
