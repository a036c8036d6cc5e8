/* tests/fuzz/auth_token - a JWT, a JWK and claims of any bytes; the JWT is also held against keys
 * of each kind that are not the input's own, so that signatures get as far as they can. */
#include "../../authd/jwt.h"
#include "../authd/jwt_vectors.h"
#include "base/json_read.h"

static void verify_with_known_keys(struct span token, struct arena *arena)
{
    static struct jwt_keys keys; /* large; empty again at the end */
    struct buffer reason;
    struct span claims;
    const char *why;

    buffer_init(&reason, arena, 1024);
    ASSERT(jwt_keys_add(&keys, SPAN(JWT_KEYS), arena, &reason));
    if (jwt_verify(&keys, token, arena, &claims, &why)) {
        ASSERT(span_starts_with(claims, SPAN("{\"iss\":\"joe\"")) ||
               span_equals(claims, SPAN("Example of Ed25519 signing")));
    } else {
        ASSERT(why);
    }
    jwt_keys_release(&keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const struct claim_rules rules = {.issuers = SPAN_LITERAL("joe"),
                                             .scopes = SPAN_LITERAL("smtp"),
                                             .username_claims = SPAN_LITERAL("email sub"),
                                             .is_introspection = true};
    const struct span text = span_of(bytes, length);
    struct jwt_keys keys = {.count = 0};
    struct json_value value, member;
    struct span claims, user;
    struct arena arena;
    struct buffer reason;
    const char *why;
    bool is_expired;
    arena_init(&arena, 1 << 20, 0);
    buffer_init(&reason, &arena, 1024);
    if (json_parse(text, &value) == PARSE_OK) {
        ASSERT(value.text.length <= length);
        const struct span string = json_string(&value, &arena);
        ASSERT(!string.bytes || string.length <= value.text.length);
        struct span rest = value.type == JSON_ARRAY ? value.text : span_empty();
        while (json_array_next(&rest, &member))
            ASSERT(member.text.length <= value.text.length);
    }
    if (claims_check(text, &rules, 1000, &arena, &user, &is_expired, &why))
        ASSERT(user.length > 0);
    if (!jwt_keys_add(&keys, text, &arena, &reason))
        ASSERT(reason.length > 0);
    if (!jwt_verify(&keys, text, &arena, &claims, &why))
        ASSERT(why);
    jwt_keys_release(&keys);
    verify_with_known_keys(text, &arena);
    arena_destroy(&arena);
    return 0;
}
