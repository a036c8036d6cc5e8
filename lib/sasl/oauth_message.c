/* sasl/oauth_message - see oauth_message.h. */
#include "sasl/oauth_message.h"

#include "base/ascii.h"
#include "base/json.h"
#include "base/utf8.h"
#include "sasl/scram_message.h"

enum { KVSEP = 1 };

/* RFC 6750 section 2.1: b64token */
static bool is_token(struct span token)
{
    size_t end = token.length;
    while (end > 0 && token.bytes[end - 1] == '=')
        end--;
    for (size_t i = 0; i < end; i++)
        if (!ascii_is_alnum(token.bytes[i]) && !span_byte_is_one_of(token, i, "-._~+/", 6))
            return false;
    return end > 0;
}

/* "Bearer", spaces, the token; the word in any case (RFC 7235 section 2.1). */
static bool take_bearer(struct span value, struct span *token)
{
    const struct span word = SPAN("Bearer ");
    if (!span_starts_with_ascii_nocase(value, word))
        return false;
    *token = span_trim_spaces(span_after(value, word.length));
    return is_token(*token);
}

static bool is_key(struct span key)
{
    for (size_t i = 0; i < key.length; i++)
        if (!ascii_is_alpha(key.bytes[i]))
            return false;
    return key.length > 0;
}

/* RFC 7628 section 3.1: VCHAR, SP, HTAB, CR, LF. UTF-8 stands in XOAUTH2's user. */
static bool is_value(struct span value)
{
    for (size_t i = 0; i < value.length; i++)
        if ((value.bytes[i] < ' ' && !span_byte_is_one_of(value, i, "\t\r\n", 3)) ||
            value.bytes[i] == 0x7f)
            return false;
    return true;
}

/* Pairs, each with a separator behind it, and one more at the end. user may be NULL. */
static enum parse_result parse_pairs(struct span rest, struct span *user, struct span *token)
{
    struct span pair, key, value;
    bool has_token = false;

    while (span_split_once(rest, KVSEP, &pair, &rest)) {
        if (span_is_empty(pair)) /* the end, with nothing behind it */
            return span_is_empty(rest) && has_token ? PARSE_OK : PARSE_MALFORMED;
        if (!span_split_once(pair, '=', &key, &value) || !is_key(key) || !is_value(value))
            return PARSE_MALFORMED;
        if (span_equals(key, SPAN("auth"))) {
            if (has_token || !take_bearer(value, token))
                return PARSE_MALFORMED;
            has_token = true;
        } else if (user && span_equals(key, SPAN("user"))) {
            if (!span_is_empty(*user) || !utf8_is_valid(value))
                return PARSE_MALFORMED;
            *user = value;
        }
    }
    return PARSE_MALFORMED;
}

enum parse_result oauthbearer_message_parse(struct span message, struct arena *arena,
                                            struct oauth_message *oauth)
{
    struct gs2_header header;
    size_t header_length = 0;

    *oauth = (struct oauth_message){.user = span_empty(), .token = span_empty()};
    const enum parse_result result = gs2_header_parse(message, arena, &header, &header_length);
    if (result != PARSE_OK)
        return result;
    const struct span rest = span_after(message, header_length);
    /* RFC 7628 section 3.1: there are no channel bindings. */
    if (header.flag == GS2_BINDING_REQUIRED || span_is_empty(rest) || rest.bytes[0] != KVSEP)
        return PARSE_MALFORMED;
    oauth->user = header.authzid;
    return parse_pairs(span_after(rest, 1), NULL, &oauth->token);
}

enum parse_result xoauth2_message_parse(struct span message, struct oauth_message *oauth)
{
    *oauth = (struct oauth_message){.user = span_empty(), .token = span_empty()};
    if (message.length > SASL_MESSAGE_MAX_BYTES)
        return PARSE_TOO_LONG;
    const enum parse_result result = parse_pairs(message, &oauth->user, &oauth->token);
    return result == PARSE_OK && span_is_empty(oauth->user) ? PARSE_MALFORMED : result;
}

void oauthbearer_message_print(struct buffer *output, struct span user, struct span host,
                               unsigned port, struct span token)
{
    buffer_append_string(output, "n,");
    if (!span_is_empty(user)) {
        buffer_append_string(output, "a=");
        scram_name_append(output, user);
    }
    buffer_append_byte(output, ',');
    if (!span_is_empty(host)) {
        buffer_append_format(output, "%chost=", KVSEP);
        buffer_append_span(output, host);
    }
    if (port > 0)
        buffer_append_format(output, "%cport=%u", KVSEP, port);
    buffer_append_format(output, "%cauth=Bearer ", KVSEP);
    buffer_append_span(output, token);
    buffer_append_format(output, "%c%c", KVSEP, KVSEP);
}

void xoauth2_message_print(struct buffer *output, struct span user, struct span token)
{
    buffer_append_string(output, "user=");
    buffer_append_span(output, user);
    buffer_append_format(output, "%cauth=Bearer ", KVSEP);
    buffer_append_span(output, token);
    buffer_append_format(output, "%c%c", KVSEP, KVSEP);
}

void oauth_error_print(struct buffer *output, enum sasl_mechanism mechanism, struct span scope,
                       struct span configuration_url)
{
    /* XOAUTH2 gives HTTP's number, OAUTHBEARER the name of OAuth's error. */
    buffer_append_string(output, mechanism == SASL_XOAUTH2
                                     ? "{\"status\":\"401\",\"schemes\":\"bearer\""
                                     : "{\"status\":\"invalid_token\",\"schemes\":\"bearer\"");
    if (!span_is_empty(scope)) {
        buffer_append_string(output, ",\"scope\":");
        json_append_string(output, scope);
    }
    if (!span_is_empty(configuration_url)) {
        buffer_append_string(output, ",\"openid-configuration\":");
        json_append_string(output, configuration_url);
    }
    buffer_append_byte(output, '}');
}
