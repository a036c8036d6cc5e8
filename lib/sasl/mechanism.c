/* sasl/mechanism - see mechanism.h. */
#include "sasl/mechanism.h"

static const struct {
    const char *name;
    unsigned properties;
} mechanisms[SASL_MECHANISM_COUNT] = {
    [SASL_EXTERNAL] = {"EXTERNAL", 0},
    [SASL_SCRAM_SHA_512_PLUS] = {"SCRAM-SHA-512-PLUS", SASL_IS_MUTUAL | SASL_IS_DICTIONARY},
    [SASL_SCRAM_SHA_512] = {"SCRAM-SHA-512", SASL_IS_MUTUAL | SASL_IS_DICTIONARY},
    [SASL_SCRAM_SHA_256_PLUS] = {"SCRAM-SHA-256-PLUS", SASL_IS_MUTUAL | SASL_IS_DICTIONARY},
    [SASL_SCRAM_SHA_256] = {"SCRAM-SHA-256", SASL_IS_MUTUAL | SASL_IS_DICTIONARY},
    [SASL_SCRAM_SHA_1_PLUS] = {"SCRAM-SHA-1-PLUS", SASL_IS_MUTUAL | SASL_IS_DICTIONARY},
    [SASL_SCRAM_SHA_1] = {"SCRAM-SHA-1", SASL_IS_MUTUAL | SASL_IS_DICTIONARY},
    /* A token is no password, but whoever sees it can use it. */
    [SASL_OAUTHBEARER] = {"OAUTHBEARER", SASL_IS_PLAINTEXT | SASL_IS_ACTIVE},
    [SASL_XOAUTH2] = {"XOAUTH2", SASL_IS_PLAINTEXT | SASL_IS_ACTIVE},
    [SASL_CRAM_MD5] = {"CRAM-MD5", SASL_IS_DICTIONARY | SASL_IS_ACTIVE},
    [SASL_PLAIN] = {"PLAIN", SASL_IS_PLAINTEXT | SASL_IS_DICTIONARY | SASL_IS_ACTIVE},
    [SASL_LOGIN] = {"LOGIN", SASL_IS_PLAINTEXT | SASL_IS_DICTIONARY | SASL_IS_ACTIVE},
    [SASL_ANONYMOUS] = {"ANONYMOUS", SASL_IS_ANONYMOUS | SASL_IS_ACTIVE},
};

static const struct {
    const char *name;
    size_t length;
    enum sasl_mechanism plain, plus;
} hashes[SASL_HASH_COUNT] = {
    [SASL_HASH_SHA_1] = {"SHA-1", 20, SASL_SCRAM_SHA_1, SASL_SCRAM_SHA_1_PLUS},
    [SASL_HASH_SHA_256] = {"SHA-256", 32, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_256_PLUS},
    [SASL_HASH_SHA_512] = {"SHA-512", 64, SASL_SCRAM_SHA_512, SASL_SCRAM_SHA_512_PLUS},
};

static const char *const bindings_names[SASL_BINDING_COUNT] = {
    [SASL_BINDING_TLS_EXPORTER] = "tls-exporter",
    [SASL_BINDING_TLS_UNIQUE] = "tls-unique",
    [SASL_BINDING_TLS_SERVER_END_POINT] = "tls-server-end-point",
};

bool sasl_mechanism_from_name(struct span name, enum sasl_mechanism *mechanism)
{
    for (size_t i = 0; i < SASL_MECHANISM_COUNT; i++)
        if (span_equals_ascii_nocase(name, span_from_string(mechanisms[i].name))) {
            *mechanism = (enum sasl_mechanism)i;
            return true;
        }
    return false;
}

bool sasl_mechanism_choose(uint32_t set, enum sasl_mechanism *mechanism)
{
    for (size_t i = 0; i < SASL_MECHANISM_COUNT; i++)
        if (set & SASL_BIT(i)) {
            *mechanism = (enum sasl_mechanism)i;
            return true;
        }
    return false;
}

const char *sasl_mechanism_name(enum sasl_mechanism mechanism)
{
    return mechanisms[mechanism].name;
}

unsigned sasl_mechanism_properties(enum sasl_mechanism mechanism)
{
    return mechanisms[mechanism].properties;
}

bool sasl_mechanism_is_scram(enum sasl_mechanism mechanism, enum sasl_hash *hash, bool *is_plus)
{
    for (size_t i = 0; i < SASL_HASH_COUNT; i++)
        if (mechanism == hashes[i].plain || mechanism == hashes[i].plus) {
            *hash = (enum sasl_hash)i;
            *is_plus = mechanism == hashes[i].plus;
            return true;
        }
    return false;
}

const char *sasl_hash_name(enum sasl_hash hash)
{
    return hashes[hash].name;
}

size_t sasl_hash_length(enum sasl_hash hash)
{
    return hashes[hash].length;
}

const char *sasl_binding_name(enum sasl_binding binding)
{
    return bindings_names[binding];
}

bool sasl_binding_from_name(struct span name, enum sasl_binding *binding)
{
    for (size_t i = 0; i < SASL_BINDING_COUNT; i++)
        if (span_equals(name, span_from_string(bindings_names[i]))) {
            *binding = (enum sasl_binding)i;
            return true;
        }
    return false;
}

bool sasl_bindings_exist(const struct sasl_bindings *bindings)
{
    for (size_t i = 0; i < SASL_BINDING_COUNT; i++)
        if (!span_is_empty(bindings->bytes[i]))
            return true;
    return false;
}
