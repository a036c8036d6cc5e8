/* tls/policy - the levels of protection of Postfix's client, and entries of smtp_tls_policy_maps:
 * a level and attributes behind it.
 * Pure. Interface: tls_level_from_name(), tls_policy_parse(). Callers: smtp, the fuzzer. */
#ifndef TLS_POLICY_H
#define TLS_POLICY_H

#include "base/arena.h"
#include "base/parse.h"

/* From the least to the most; what stands above TLS_LEVEL_ENCRYPT says who the server must be. */
enum tls_level {
    TLS_LEVEL_NONE,
    TLS_LEVEL_MAY,     /* if the server offers it, whoever it is (RFC 7435) */
    TLS_LEVEL_ENCRYPT, /* or no mail at all */
    TLS_LEVEL_FINGERPRINT,
    TLS_LEVEL_HALF_DANE, /* DANE's records, for a host that an insecure MX record named */
    TLS_LEVEL_DANE,      /* where the domain has it (RFC 7672); else TLS_LEVEL_MAY */
    TLS_LEVEL_DANE_ONLY,
    TLS_LEVEL_VERIFY, /* by certification authorities and smtp_tls_verify_cert_match */
    TLS_LEVEL_SECURE  /* and smtp_tls_secure_cert_match */
};

MUST_USE bool tls_level_from_name(struct span name, enum tls_level *level);
const char *tls_level_name(enum tls_level level);

/* Without TLS there is no mail. */
static inline bool tls_level_is_mandatory(enum tls_level level)
{
    return level >= TLS_LEVEL_ENCRYPT;
}

/* Without the right server there is none. */
static inline bool tls_level_must_match(enum tls_level level)
{
    return level > TLS_LEVEL_ENCRYPT;
}

static inline bool tls_level_is_dane(enum tls_level level)
{
    return level >= TLS_LEVEL_HALF_DANE && level <= TLS_LEVEL_DANE_ONLY;
}

/* Certification authorities decide. */
static inline bool tls_level_is_pkix(enum tls_level level)
{
    return level >= TLS_LEVEL_VERIFY;
}

/* NULL bytes: not said. Lists are words between spaces. */
struct tls_policy {
    enum tls_level level;
    struct span protocols;
    struct span ciphers;
    struct span exclusions;
    struct span matches; /* names, or fingerprints at that level */
    struct span anchor_files;
    struct span server_name;
    bool has_connection_reuse;
    bool connection_reuse;
};

enum { TLS_POLICY_MAX_BYTES = 4096, TLS_POLICY_PROBLEM_BYTES = 120 };

/* An entry's text. On failure *problem says what is wrong with it; lists are the arena's. */
MUST_USE enum parse_result tls_policy_parse(struct span text, struct arena *arena,
                                            struct tls_policy *policy,
                                            char problem[TLS_POLICY_PROBLEM_BYTES]);
/* What stands in smtp_tls_per_site, the table of before: NONE, MAY, MUST, MUST_NOPEERMATCH. */
MUST_USE bool tls_policy_from_site(struct span word, enum tls_level *level);

#endif
