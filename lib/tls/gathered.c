/* tls/gathered - see gathered.h. */
#include "tls/gathered.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/map.h"
#include "system/file.h"
#include "system/random.h"

enum { FILE_MAX_BYTES = 16 << 20, GATHERED_MAX_BYTES = 64 << 20 };

struct member {
    struct map_node node; /* its key is the certificate, in DER */
    bool has_trust;       /* and behind it for what it is trusted: OpenSSL's own form */
};

struct tls_gathered {
    struct arena arena;
    struct map members;
};

/* False when memory is out. */
static bool add(struct tls_gathered *gathered, struct span bytes, bool has_trust)
{
    if (map_find(&gathered->members, bytes))
        return true;
    struct member *member = arena_alloc(&gathered->arena, sizeof(*member));
    if (!member)
        return false;
    *member = (struct member){.has_trust = has_trust};
    member->node.key = arena_copy(&gathered->arena, bytes);
    return member->node.key.bytes && map_insert(&gathered->members, &member->node);
}

/* The names that a certificate has in PEM files; *has_trust is set for the last. */
static bool is_certificate(const char *name, bool *has_trust)
{
    *has_trust = strcmp(name, PEM_STRING_X509_TRUSTED) == 0;
    return *has_trust || strcmp(name, PEM_STRING_X509) == 0 ||
           strcmp(name, PEM_STRING_X509_OLD) == 0;
}

/* NULL, or what is wrong. Other things may stand between the certificates. */
static const char *add_pem(struct tls_gathered *gathered, struct span pem)
{
    BIO *bio = pem.length <= INT_MAX ? BIO_new_mem_buf(pem.bytes, (int)pem.length) : NULL;
    const char *problem = bio ? NULL : "out of memory";
    size_t count = 0;
    ERR_clear_error();
    while (!problem) {
        char *name = NULL, *header = NULL;
        unsigned char *bytes = NULL;
        long length = 0;
        bool has_trust = false;
        if (PEM_read_bio(bio, &name, &header, &bytes, &length) != 1) {
            if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
                problem = "it is not PEM";
            break;
        }
        if (is_certificate(name, &has_trust)) {
            count++;
            if (!add(gathered, span_of(bytes, (size_t)length), has_trust))
                problem = "out of memory";
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(bytes);
    }
    ERR_clear_error();
    BIO_free(bio);
    return !problem && count == 0 ? "no certificate is in it" : problem;
}

static bool take_file(void *context, const char *path, char problem[TLS_AUTHORITIES_PROBLEM_BYTES])
{
    struct tls_gathered *gathered = context;
    struct arena arena;
    struct span text;
    const char *reason = NULL;
    arena_init(&arena, FILE_MAX_BYTES + 1024, 0);
    if (file_read_whole(AT_FDCWD, path, FILE_MAX_BYTES, &arena, &text) != 0)
        reason = strerror(errno);
    else
        reason = add_pem(gathered, text);
    arena_destroy(&arena);
    if (reason)
        (void)snprintf(problem, TLS_AUTHORITIES_PROBLEM_BYTES,
                       "cannot read certificates from %s: %s", path, reason);
    return !reason;
}

struct tls_gathered *tls_gathered_read(const struct tls_authorities *authorities,
                                       char problem[TLS_AUTHORITIES_PROBLEM_BYTES])
{
    struct tls_gathered *gathered = calloc(1, sizeof(*gathered));
    uint8_t seed[16];
    if (!gathered) {
        (void)snprintf(problem, TLS_AUTHORITIES_PROBLEM_BYTES, "out of memory");
        return NULL;
    }
    random_bytes(seed, sizeof(seed));
    arena_init(&gathered->arena, GATHERED_MAX_BYTES, 0);
    map_init(&gathered->members, seed);
    if (!tls_authorities_visit(authorities, take_file, gathered, problem))
        tls_gathered_destroy(&gathered);
    return gathered;
}

size_t tls_gathered_count(const struct tls_gathered *gathered)
{
    return gathered->members.count;
}

static bool add_member(struct map_node *node, void *context)
{
    const struct member *member = CONTAINER_OF(node, struct member, node);
    const unsigned char *bytes = node->key.bytes;
    const long length = (long)node->key.length;
    X509 *certificate =
        member->has_trust ? d2i_X509_AUX(NULL, &bytes, length) : d2i_X509(NULL, &bytes, length);
    if (certificate)
        (void)X509_STORE_add_cert(context, certificate); /* or it vouches for nobody */
    X509_free(certificate);
    return true;
}

void tls_gathered_add_to(const struct tls_gathered *gathered, X509_STORE *store)
{
    struct map members = gathered->members; /* none is removed */
    map_for_each(&members, add_member, store);
    ERR_clear_error();
}

void tls_gathered_destroy(struct tls_gathered **gathered_pointer)
{
    struct tls_gathered *gathered = *gathered_pointer;
    *gathered_pointer = NULL;
    if (!gathered)
        return;
    map_destroy(&gathered->members);
    arena_destroy(&gathered->arena);
    free(gathered);
}
