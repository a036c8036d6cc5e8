/* smtp/auth_command - see auth_command.h. */
#include "smtp/auth_command.h"

#include "base/ascii.h"
#include "base/base64.h"

/* RFC 4422 section 3.1; any case, since clients write what they like. */
static bool is_mechanism(struct span word)
{
    for (size_t i = 0; i < word.length; i++)
        if (!ascii_is_alnum(word.bytes[i]) && word.bytes[i] != '-' && word.bytes[i] != '_')
            return false;
    return word.length > 0 && word.length <= SMTP_AUTH_MECHANISM_MAX_BYTES;
}

static enum smtp_auth_result decode(struct span text, struct buffer *response)
{
    return base64_decode(text, response) == PARSE_OK && buffer_ok(response) ? SMTP_AUTH_OK
                                                                            : SMTP_AUTH_BAD_BASE64;
}

enum smtp_auth_result smtp_auth_parse(struct span argument, struct smtp_auth_command *command,
                                      struct buffer *response)
{
    struct span mechanism, rest;
    const bool has_response = span_split_once(argument, ' ', &mechanism, &rest);
    rest = span_trim_spaces(rest);
    if (!is_mechanism(mechanism) || span_find_byte(rest, ' ') < rest.length ||
        (has_response && rest.length == 0))
        return SMTP_AUTH_BAD_SYNTAX;
    *command = (struct smtp_auth_command){mechanism, has_response};
    /* "=" is an empty response, as against none. */
    if (!has_response || span_equals(rest, SPAN("=")))
        return SMTP_AUTH_OK;
    return decode(rest, response);
}

enum smtp_auth_result smtp_auth_response_parse(struct span input, size_t max_bytes,
                                               bool accept_bare_lf, struct buffer *response,
                                               size_t *consumed_bytes)
{
    const struct span window = span_first(input, max_bytes);
    const size_t end = span_find_byte(window, '\n');
    if (end == window.length)
        return window.length == max_bytes ? SMTP_AUTH_TOO_LONG : SMTP_AUTH_NEED_MORE;
    *consumed_bytes = end + 1;
    const bool has_cr = end > 0 && window.bytes[end - 1] == '\r';
    if (!has_cr && !accept_bare_lf) /* RFC 5321 section 2.3.8 */
        return SMTP_AUTH_BAD_BASE64;
    const struct span line = span_first(window, has_cr ? end - 1 : end);
    if (span_equals(line, SPAN("*")))
        return SMTP_AUTH_CANCELLED;
    return decode(line, response);
}
