/* authd/login_name - see login_name.h. */
#include "login_name.h"

#include "base/ascii.h"

enum { LOGIN_NAME_MAX_BYTES = 512 };

static bool is_permitted(const struct conf_authd *settings, struct span name)
{
    const struct span set = settings->auth_username_characters;
    for (size_t i = 0; i < name.length; i++) {
        const uint8_t byte = name.bytes[i];
        if (byte < 0x20 || byte == 0x7f)
            return false;
        if (set.length > 0 && byte < 0x80 && span_find_byte(set, byte) == set.length)
            return false;
    }
    return name.length > 0 && name.length <= LOGIN_NAME_MAX_BYTES;
}

static void append_cased(struct buffer *out, struct span text, uint8_t letter_case)
{
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = text.bytes[i];
        if (letter_case == 'L')
            byte = ascii_to_lower(byte);
        else if (letter_case == 'U' && byte >= 'a' && byte <= 'z')
            byte = (uint8_t)(byte - 'a' + 'A');
        buffer_append_byte(out, byte);
    }
}

/* out NULL: only looks whether it is a format. */
static bool apply(struct span format, struct span name, struct buffer *out)
{
    const size_t at = span_find_last_byte(name, '@');
    const struct span local_part = span_first(name, at), domain = span_after(name, at + 1);
    for (size_t i = 0; i < format.length; i++) {
        uint8_t letter_case = 0;
        if (format.bytes[i] != '%') {
            if (out)
                buffer_append_byte(out, format.bytes[i]);
            continue;
        }
        if (++i < format.length && (format.bytes[i] == 'L' || format.bytes[i] == 'U'))
            letter_case = format.bytes[i++];
        if (i >= format.length)
            return false;
        struct span part;
        switch (format.bytes[i]) {
        case 'u':
            part = name;
            break;
        case 'n':
            part = local_part;
            break;
        case 'd':
            part = domain;
            break;
        case '%':
            part = SPAN("%");
            break;
        default:
            return false;
        }
        if (out)
            append_cased(out, part, letter_case);
    }
    return true;
}

bool login_name_format_is_valid(struct span format)
{
    return apply(format, SPAN("x"), NULL);
}

enum login_name_result login_name_make(const struct conf_authd *settings, struct span name,
                                       struct arena *arena, struct span *result)
{
    const struct span realm = settings->auth_default_realm;
    struct buffer out;
    if (realm.length > 0 && name.length > 0 && span_find_byte(name, '@') == name.length) {
        name = arena_format(arena, "%.*s@%.*s", SPAN_PRINTF(name), SPAN_PRINTF(realm));
        if (!name.bytes)
            return LOGIN_NAME_NO_MEMORY;
    }
    if (!is_permitted(settings, name))
        return LOGIN_NAME_FORBIDDEN;
    buffer_init(&out, arena, (size_t)4 * LOGIN_NAME_MAX_BYTES);
    (void)apply(settings->auth_username_format, name, &out); /* checked at the start */
    if (!buffer_ok(&out))
        return LOGIN_NAME_NO_MEMORY;
    *result = buffer_span(&out);
    return result->length > 0 && result->length <= LOGIN_NAME_MAX_BYTES ? LOGIN_NAME_OK
                                                                        : LOGIN_NAME_FORBIDDEN;
}
