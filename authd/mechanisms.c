/* authd/mechanisms - see mechanisms.h. */
#include "mechanisms.h"

static bool needs_database(enum sasl_mechanism mechanism)
{
    return mechanism != SASL_EXTERNAL && mechanism != SASL_ANONYMOUS &&
           mechanism != SASL_OAUTHBEARER && mechanism != SASL_XOAUTH2;
}

static bool is_there(const struct authd *authd, enum sasl_mechanism mechanism)
{
    for (size_t i = 0; i < authd->mechanism_count; i++)
        if (authd->mechanisms[i] == mechanism)
            return true;
    return false;
}

bool mechanisms_parse(struct authd *authd, struct span *bad_word)
{
    struct span rest = authd->conf->auth_mechanisms;
    enum sasl_mechanism mechanism;
    authd->mechanism_count = 0;
    while (span_next_word(&rest, ", \t\r\n", bad_word)) {
        if (!sasl_mechanism_from_name(*bad_word, &mechanism))
            return false;
        if (!is_there(authd, mechanism) &&
            (authd->database_count > 0 || !needs_database(mechanism)))
            authd->mechanisms[authd->mechanism_count++] = mechanism;
    }
    return true;
}

bool mechanisms_take_tokens(const struct authd *authd)
{
    return is_there(authd, SASL_OAUTHBEARER) || is_there(authd, SASL_XOAUTH2);
}

bool mechanisms_find(const struct authd *authd, struct span name, enum sasl_mechanism *mechanism)
{
    return sasl_mechanism_from_name(name, mechanism) && is_there(authd, *mechanism);
}

bool mechanisms_have_plus(const struct authd *authd, enum sasl_mechanism mechanism)
{
    enum sasl_hash wanted, hash;
    bool is_plus;
    if (!sasl_mechanism_is_scram(mechanism, &wanted, &is_plus))
        return false;
    for (size_t i = 0; i < authd->mechanism_count; i++)
        if (sasl_mechanism_is_scram(authd->mechanisms[i], &hash, &is_plus) && hash == wanted &&
            is_plus)
            return true;
    return false;
}

unsigned mechanisms_properties(enum sasl_mechanism mechanism)
{
    const unsigned of_sasl = sasl_mechanism_properties(mechanism);
    enum sasl_hash hash;
    bool is_plus = false;
    return (of_sasl & SASL_IS_PLAINTEXT ? AUTH_PLAINTEXT : 0U) |
           (of_sasl & SASL_IS_ANONYMOUS ? AUTH_ANONYMOUS : 0U) |
           (of_sasl & SASL_IS_DICTIONARY ? AUTH_DICTIONARY : 0U) |
           (of_sasl & SASL_IS_ACTIVE ? AUTH_ACTIVE : 0U) |
           (of_sasl & SASL_IS_MUTUAL ? AUTH_MUTUAL : 0U) |
           (mechanism == SASL_EXTERNAL ? AUTH_CERTIFICATE : 0U) |
           (sasl_mechanism_is_scram(mechanism, &hash, &is_plus) && is_plus ? AUTH_BINDING : 0U);
}

bool mechanisms_may_act_as(const struct conf_authd *conf, struct span user, struct span wanted)
{
    struct span rest = conf->auth_master_users, word;
    if (span_equals(user, wanted))
        return true;
    while (span_next_word(&rest, ", \t\r\n", &word))
        if (span_equals(word, user))
            return true;
    return false;
}
