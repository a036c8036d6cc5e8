/* authd/claims - what a token says (RFC 7519 section 4.1, RFC 7662 section 2.2). See jwt.h. */
#include "base/json_read.h"
#include "jwt.h"

static bool is_listed(struct span list, struct span word)
{
    struct span one;
    while (span_next_word(&list, ", \t\r\n", &one))
        if (span_equals(one, word))
            return true;
    return false;
}

static bool is_empty(struct span list)
{
    struct span word;
    return !span_next_word(&list, ", \t\r\n", &word);
}

/* A text, or an array one of whose texts will do. */
static bool has_listed(const struct json_value *value, struct span list, struct arena *arena)
{
    struct json_value element;
    struct span rest = value->text;
    if (value->type == JSON_STRING) {
        const struct span text = json_string(value, arena);
        return text.bytes && is_listed(list, text);
    }
    while (value->type == JSON_ARRAY && json_array_next(&rest, &element)) {
        const struct span text = json_string(&element, arena);
        if (text.bytes && is_listed(list, text))
            return true;
    }
    return false;
}

/* A list is satisfied by the claim; where there is no claim, only in an introspection, whose server
 * has looked itself. */
static bool satisfies(const struct json_value *claims, const char *name, struct span list,
                      const struct claim_rules *rules, struct arena *arena)
{
    struct json_value value;
    if (is_empty(list))
        return true;
    if (!json_object_find(claims, name, &value))
        return rules->is_introspection;
    return has_listed(&value, list, arena);
}

/* RFC 8693 section 4.2: words in one text; some write an array, or call it scp. */
static bool has_scope(const struct json_value *claims, struct span scope, struct arena *arena)
{
    static const char *const names[] = {"scope", "scp"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct json_value value, element;
        if (!json_object_find(claims, names[i], &value))
            continue;
        struct span rest = value.text;
        const struct span text = json_string(&value, arena);
        if (value.type == JSON_STRING && text.bytes && is_listed(text, scope))
            return true;
        while (value.type == JSON_ARRAY && json_array_next(&rest, &element)) {
            const struct span word = json_string(&element, arena);
            if (word.bytes && span_equals(word, scope))
                return true;
        }
    }
    return false;
}

static bool has_scopes(const struct json_value *claims, struct span scopes, struct arena *arena)
{
    struct span scope;
    while (span_next_word(&scopes, ", \t\r\n", &scope))
        if (!has_scope(claims, scope, arena))
            return false;
    return true;
}

static bool find_user(const struct json_value *claims, struct span names, struct arena *arena,
                      struct span *user)
{
    struct span name;
    while (span_next_word(&names, ", \t\r\n", &name)) {
        struct json_value value;
        const char *text = arena_string(arena, name);
        if (!text || !json_object_find(claims, text, &value))
            continue;
        *user = json_string(&value, arena);
        if (user->bytes && user->length > 0)
            return true;
    }
    return false;
}

bool claims_are_introspection(struct span text)
{
    struct json_value claims, value;
    return json_parse(text, &claims) == PARSE_OK && claims.type == JSON_OBJECT &&
           json_object_find(&claims, "active", &value) &&
           (value.type == JSON_TRUE || value.type == JSON_FALSE);
}

bool claims_check(struct span text, const struct claim_rules *rules, int64_t now_s,
                  struct arena *arena, struct span *user, bool *is_expired, const char **reason)
{
    struct json_value claims, value;
    int64_t when_s;
    *is_expired = false;
    *reason = "the token's claims are malformed";
    if (json_parse(text, &claims) != PARSE_OK || claims.type != JSON_OBJECT)
        return false;
    *reason = "the token is not active";
    if (rules->is_introspection &&
        (!json_object_find(&claims, "active", &value) || value.type != JSON_TRUE))
        return false;
    /* A token without an end would be good for ever. */
    *reason = "the token does not say how long it is good";
    if (json_object_find(&claims, "exp", &value)) {
        if (!json_integer(&value, &when_s))
            return false;
        *reason = "the token has expired";
        *is_expired = now_s - rules->leeway_s >= when_s;
        if (*is_expired)
            return false;
    } else if (!rules->is_introspection) {
        return false;
    }
    *reason = "the token is not good yet";
    if (json_object_find(&claims, "nbf", &value) &&
        (!json_integer(&value, &when_s) || now_s + rules->leeway_s < when_s))
        return false;
    *reason = "the token is of another issuer";
    if (!satisfies(&claims, "iss", rules->issuers, rules, arena))
        return false;
    *reason = "the token is for somebody else";
    if (!satisfies(&claims, "aud", rules->audiences, rules, arena))
        return false;
    *reason = "the token has not the scope";
    if (!has_scopes(&claims, rules->scopes, arena))
        return false;
    *reason = "the token does not say who the user is";
    return find_user(&claims, rules->username_claims, arena, user);
}
