/* password/names - the schemes of stored passwords and what each can serve; nothing is computed
 * here, so that who only looks at passwords needs no library. See scheme.h. */
#include "password/private.h"

/* Strongest first: what is below another counts as weaker. */
static const struct scheme schemes[] = {
    {"ARGON2ID", FAMILY_ARGON2, "$argon2id$", true, false, true},
    {"YESCRYPT", FAMILY_CRYPT, "$y$", true, false, true},
    {"BLF-CRYPT", FAMILY_CRYPT, "$2", true, false, true},
    {"ARGON2I", FAMILY_ARGON2, "$argon2i$", true, false, true},
    {"SCRYPT-CRYPT", FAMILY_CRYPT, "$7$", true, false, false},
    {"SHA512-CRYPT", FAMILY_CRYPT, "$6$", true, false, true},
    {"SHA256-CRYPT", FAMILY_CRYPT, "$5$", true, false, true},
    {"SCRAM-SHA-512", FAMILY_SCRAM, NULL, true, false, true},
    {"SCRAM-SHA-256", FAMILY_SCRAM, NULL, true, false, true},
    {"SCRAM-SHA-1", FAMILY_SCRAM, NULL, true, false, true},
    {"PBKDF2", FAMILY_PBKDF2, NULL, true, false, true},
    {"CRYPT", FAMILY_CRYPT, NULL, true, false, false}, /* whatever crypt(5) has */
    {"MD5-CRYPT", FAMILY_CRYPT, "$1$", true, false, true},
    {"SSHA512", FAMILY_DIGEST, "SHA512", true, false, true},
    {"SSHA256", FAMILY_DIGEST, "SHA256", true, false, true},
    {"SSHA", FAMILY_DIGEST, "SHA1", true, false, true},
    {"SMD5", FAMILY_DIGEST, "MD5", true, false, false},
    {"SHA512", FAMILY_DIGEST, "SHA512", false, false, false},
    {"SHA256", FAMILY_DIGEST, "SHA256", false, false, false},
    {"SHA1", FAMILY_DIGEST, "SHA1", false, false, false},
    {"SHA", FAMILY_DIGEST, "SHA1", false, false, false},
    {"LDAP-MD5", FAMILY_DIGEST, "MD5", false, false, false},
    {"PLAIN-MD5", FAMILY_DIGEST, "MD5", false, true, false},
    {"DES-CRYPT", FAMILY_CRYPT, NULL, true, false, false},
    {"CRAM-MD5", FAMILY_CRAM_MD5, NULL, false, true, true},
    {"HMAC-MD5", FAMILY_CRAM_MD5, NULL, false, true, false},
    {"PLAIN", FAMILY_PLAIN, NULL, false, false, true},
    {"CLEAR", FAMILY_PLAIN, NULL, false, false, false},
    {"CLEARTEXT", FAMILY_PLAIN, NULL, false, false, false},
};

const struct scheme *scheme_find_named(struct span name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++)
        if (span_equals_ascii_nocase(name, span_from_string(schemes[i].name)))
            return &schemes[i];
    return NULL;
}

/* "SSHA256.HEX": the encoding behind a point. {MD5} is crypt(5)'s where it looks like that, else
 * LDAP's (RFC 2307 section 5.3). */
const struct scheme *scheme_find(struct span name, struct span hash, struct span *encoding)
{
    struct span base;
    (void)span_split_once(name, '.', &base, encoding);
    if (span_equals_ascii_nocase(base, SPAN("MD5")))
        base = span_starts_with(hash, SPAN("$1$")) ? SPAN("MD5-CRYPT") : SPAN("LDAP-MD5");
    return scheme_find_named(base);
}

/* The kinds of crypt(5) by what a hash begins with. */
const struct scheme *scheme_find_of_hash(const struct scheme *scheme, struct span hash)
{
    if (!scheme || scheme->family != FAMILY_CRYPT)
        return scheme;
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++)
        if (schemes[i].detail && schemes[i].detail[0] == '$' &&
            span_starts_with(hash, span_from_string(schemes[i].detail)))
            return &schemes[i];
    return scheme;
}

void password_split(struct span stored, struct span default_scheme, struct span *scheme,
                    struct span *rest)
{
    const size_t end = span_find_byte(stored, '}');
    *scheme = default_scheme;
    *rest = stored;
    if (stored.length > 0 && stored.bytes[0] == '{' && end < stored.length) {
        *scheme = span_between(stored, 1, end);
        *rest = span_after(stored, end + 1);
    }
}

bool password_serves(struct span stored, struct span default_scheme, struct span wanted)
{
    struct span name, hash, encoding;
    password_split(stored, default_scheme, &name, &hash);
    const struct scheme *scheme = scheme_find(name, hash, &encoding);
    return scheme && (scheme->family == FAMILY_PLAIN ||
                      span_equals_ascii_nocase(span_from_string(scheme->name), wanted));
}

struct span password_with_scheme(struct span stored, struct span default_scheme,
                                 struct arena *arena)
{
    struct span name, hash, encoding;
    password_split(stored, default_scheme, &name, &hash);
    const struct scheme *scheme = scheme_find(name, hash, &encoding);
    const char *plain_name = scheme && scheme->family == FAMILY_PLAIN ? "PLAIN" : NULL;
    const struct span written = plain_name ? span_from_string(plain_name) : name;
    return arena_format(arena, "{%.*s}%.*s", SPAN_PRINTF(written), SPAN_PRINTF(hash));
}

const char *password_scheme_name(size_t index)
{
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++)
        if (schemes[i].is_made && index-- == 0)
            return schemes[i].name;
    return NULL;
}
