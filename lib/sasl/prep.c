/* sasl/prep - see prep.h. */
#include "sasl/prep.h"

#include <openssl/crypto.h>
#include <stringprep.h>

#include "base/ascii.h"
#include "base/utf8.h"
#include "sasl/mechanism.h"

/* Compatibility forms grow: U+FDFA, three bytes, becomes 33. */
enum { PREP_GROWTH = 11 };

enum prepared { PREPARED, PREPARED_FORBIDDEN, PREPARED_NO_ROOM };

static bool is_printable_ascii(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!ascii_is_print(text.bytes[i]))
            return false;
    return true;
}

/* Code points that Unicode 3.2 did not know pass: RFC 5802 section 5.1 has a name treated as a
 * query (RFC 3454 section 7), and passwords of today have such characters. */
static enum prepared prepare(struct span text, struct arena *arena, struct span *prepared)
{
    /* SASLprep changes nothing of it. */
    if (is_printable_ascii(text)) {
        *prepared = arena_copy(arena, text);
        return prepared->bytes ? PREPARED : PREPARED_NO_ROOM;
    }
    /* libidn works on a C string. */
    if (!utf8_is_valid(text) || span_find_byte(text, '\0') < text.length)
        return PREPARED_FORBIDDEN;
    const size_t room = text.length * PREP_GROWTH + 1;
    char *work = arena_alloc(arena, room);
    if (!work)
        return PREPARED_NO_ROOM;
    memcpy(work, text.bytes, text.length);
    const int result = stringprep(work, room, (Stringprep_profile_flags)0, stringprep_saslprep);
    if (result == STRINGPREP_OK) {
        *prepared = span_from_string(work);
        return PREPARED;
    }
    OPENSSL_cleanse(work, room);
    return result == STRINGPREP_TOO_SMALL_BUFFER || result == STRINGPREP_MALLOC_ERROR
               ? PREPARED_NO_ROOM
               : PREPARED_FORBIDDEN;
}

enum parse_result sasl_prep_name(struct span name, struct arena *arena, struct span *prepared)
{
    if (name.length > SASL_NAME_MAX_BYTES)
        return PARSE_TOO_LONG;
    switch (prepare(name, arena, prepared)) {
    case PREPARED:
        return span_is_empty(*prepared)                 ? PARSE_MALFORMED
               : prepared->length > SASL_NAME_MAX_BYTES ? PARSE_TOO_LONG
                                                        : PARSE_OK;
    case PREPARED_NO_ROOM:
        return PARSE_TOO_LONG;
    case PREPARED_FORBIDDEN:
        break;
    }
    return PARSE_MALFORMED;
}

enum parse_result sasl_prep_password(struct span password, struct arena *arena,
                                     struct span *prepared)
{
    if (password.length > SASL_PASSWORD_MAX_BYTES)
        return PARSE_TOO_LONG;
    switch (prepare(password, arena, prepared)) {
    case PREPARED:
        return span_is_empty(*prepared) ? PARSE_MALFORMED : PARSE_OK;
    case PREPARED_NO_ROOM:
        return PARSE_TOO_LONG;
    case PREPARED_FORBIDDEN:
        break;
    }
    *prepared = arena_copy(arena, password);
    return prepared->bytes ? PARSE_OK : PARSE_TOO_LONG;
}
