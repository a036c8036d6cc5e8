/* base/json_read - see json_read.h. */
#include "base/json_read.h"

#include "base/ascii.h"
#include "base/number.h"

static size_t skip_space(struct span text, size_t at)
{
    while (span_byte_is_one_of(text, at, " \t\r\n", 4))
        at++;
    return at;
}

/* Each of the following reads from *at and leaves it behind what was read. */

static bool read_word(struct span text, size_t *at, struct span word)
{
    if (!span_starts_with(span_after(text, *at), word))
        return false;
    *at += word.length;
    return true;
}

static size_t read_digits(struct span text, size_t *at)
{
    const size_t begin = *at;
    while (*at < text.length && ascii_is_digit(text.bytes[*at]))
        ++*at;
    return *at - begin;
}

static bool read_number(struct span text, size_t *at)
{
    if (span_byte_is_one_of(text, *at, "-", 1))
        ++*at;
    const size_t begin = *at;
    const size_t digits = read_digits(text, at);
    if (digits == 0 || (digits > 1 && text.bytes[begin] == '0'))
        return false;
    if (span_byte_is_one_of(text, *at, ".", 1)) {
        ++*at;
        if (read_digits(text, at) == 0)
            return false;
    }
    if (span_byte_is_one_of(text, *at, "eE", 2)) {
        ++*at;
        if (span_byte_is_one_of(text, *at, "+-", 2))
            ++*at;
        return read_digits(text, at) > 0;
    }
    return true;
}

static bool read_escape(struct span text, size_t *at)
{
    if (*at >= text.length)
        return false;
    const uint8_t letter = text.bytes[(*at)++];
    if (letter != 'u')
        return memchr("\"\\/bfnrt", letter, 8) != NULL;
    for (int i = 0; i < 4; i++, ++*at)
        if (*at >= text.length || ascii_hex_value(text.bytes[*at]) < 0)
            return false;
    return true;
}

/* From behind the opening quote to behind the closing one. */
static bool read_string(struct span text, size_t *at, struct span *content)
{
    const size_t begin = *at;
    while (*at < text.length) {
        const uint8_t byte = text.bytes[(*at)++];
        if (byte == '"') {
            *content = span_between(text, begin, *at - 1);
            return true;
        }
        if (byte < 0x20 || (byte == '\\' && !read_escape(text, at)))
            return false;
    }
    return false;
}

/* What may come next. */
enum state {
    STATE_VALUE,
    STATE_FIRST_ELEMENT, /* or the end of the array */
    STATE_FIRST_NAME,    /* or the end of the object */
    STATE_NAME,
    STATE_AFTER_VALUE
};

struct reader {
    struct span text;
    size_t at;
    enum state state;
    size_t depth;
    bool is_object[JSON_DEPTH_MAX];
};

static bool read_scalar(struct reader *reader, uint8_t first)
{
    struct span content;
    switch (first) {
    case '"':
        reader->at++;
        return read_string(reader->text, &reader->at, &content);
    case 't':
        return read_word(reader->text, &reader->at, SPAN("true"));
    case 'f':
        return read_word(reader->text, &reader->at, SPAN("false"));
    case 'n':
        return read_word(reader->text, &reader->at, SPAN("null"));
    default:
        return read_number(reader->text, &reader->at);
    }
}

static enum parse_result open_container(struct reader *reader, bool is_object)
{
    if (reader->depth == JSON_DEPTH_MAX)
        return PARSE_TOO_LONG;
    reader->is_object[reader->depth++] = is_object;
    reader->state = is_object ? STATE_FIRST_NAME : STATE_FIRST_ELEMENT;
    reader->at++;
    return PARSE_OK;
}

static bool close_container(struct reader *reader)
{
    reader->at++;
    reader->depth--;
    reader->state = STATE_AFTER_VALUE;
    return true;
}

static bool read_name(struct reader *reader)
{
    struct span content;
    if (!span_byte_is_one_of(reader->text, reader->at, "\"", 1))
        return false;
    reader->at++;
    if (!read_string(reader->text, &reader->at, &content))
        return false;
    reader->at = skip_space(reader->text, reader->at);
    if (!span_byte_is_one_of(reader->text, reader->at, ":", 1))
        return false;
    reader->at++;
    reader->state = STATE_VALUE;
    return true;
}

static bool read_after_value(struct reader *reader, uint8_t byte)
{
    const bool is_object = reader->is_object[reader->depth - 1];
    if (byte == (is_object ? '}' : ']'))
        return close_container(reader);
    if (byte != ',')
        return false;
    reader->at++;
    reader->state = is_object ? STATE_NAME : STATE_VALUE;
    return true;
}

static enum parse_result read_token(struct reader *reader)
{
    const uint8_t byte = reader->text.bytes[reader->at];
    bool is_good = true;
    switch (reader->state) {
    case STATE_FIRST_ELEMENT:
    case STATE_VALUE:
        if (byte == '[' || byte == '{')
            return open_container(reader, byte == '{');
        if (byte == ']' && reader->state == STATE_FIRST_ELEMENT)
            return close_container(reader) ? PARSE_OK : PARSE_MALFORMED;
        is_good = read_scalar(reader, byte);
        reader->state = STATE_AFTER_VALUE;
        break;
    case STATE_FIRST_NAME:
        is_good = byte == '}' ? close_container(reader) : read_name(reader);
        break;
    case STATE_NAME:
        is_good = read_name(reader);
        break;
    case STATE_AFTER_VALUE:
        is_good = read_after_value(reader, byte);
        break;
    }
    return is_good ? PARSE_OK : PARSE_MALFORMED;
}

/* One value, from *at, where no white space stands. */
static enum parse_result read_value(struct span text, size_t *at, struct json_value *value)
{
    struct reader reader = {.text = text, .at = *at, .state = STATE_VALUE};
    do {
        reader.at = skip_space(text, reader.at);
        if (reader.at >= text.length)
            return PARSE_MALFORMED;
        const enum parse_result result = read_token(&reader);
        if (result != PARSE_OK)
            return result;
    } while (reader.depth > 0);
    value->text = span_between(text, *at, reader.at);
    switch (text.bytes[*at]) {
    case '{':
        value->type = JSON_OBJECT;
        break;
    case '[':
        value->type = JSON_ARRAY;
        break;
    case '"':
        value->type = JSON_STRING;
        value->text = span_between(text, *at + 1, reader.at - 1);
        break;
    case 't':
        value->type = JSON_TRUE;
        break;
    case 'f':
        value->type = JSON_FALSE;
        break;
    case 'n':
        value->type = JSON_NULL;
        break;
    default:
        value->type = JSON_NUMBER;
        break;
    }
    *at = reader.at;
    return PARSE_OK;
}

enum parse_result json_parse(struct span text, struct json_value *value)
{
    size_t at = skip_space(text, 0);
    const enum parse_result result = read_value(text, &at, value);
    if (result != PARSE_OK)
        return result;
    return skip_space(text, at) == text.length ? PARSE_OK : PARSE_MALFORMED;
}

bool json_object_find(const struct json_value *object, const char *name, struct json_value *value)
{
    const struct span text = object->text;
    size_t at = 1, count = 0;
    if (object->type != JSON_OBJECT)
        return false;
    for (;;) {
        struct span found;
        struct json_value member;
        at = skip_space(text, at);
        if (!span_byte_is_one_of(text, at, "\"", 1))
            return count == 1;
        at++;
        if (!read_string(text, &at, &found))
            return false;
        at = skip_space(text, skip_space(text, at) + 1); /* the colon */
        if (read_value(text, &at, &member) != PARSE_OK)
            return false;
        if (span_equals(found, span_from_string(name))) {
            *value = member;
            count++;
        }
        at = skip_space(text, at) + 1; /* the comma, or the end */
    }
}

bool json_array_next(struct span *rest, struct json_value *value)
{
    size_t at = skip_space(*rest, 0);
    if (!span_byte_is_one_of(*rest, at, "[,", 2))
        return false;
    at = skip_space(*rest, at + 1);
    if (span_byte_is_one_of(*rest, at, "]", 1) || read_value(*rest, &at, value) != PARSE_OK)
        return false;
    *rest = span_after(*rest, at);
    return true;
}

static uint32_t read_hex4(struct span text, size_t at)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++)
        value = value << 4 | (uint32_t)ascii_hex_value(text.bytes[at + i]);
    return value;
}

/* UTF-8 of a character; its length. */
static size_t encode(uint32_t character, uint8_t *out)
{
    if (character < 0x80) {
        out[0] = (uint8_t)character;
        return 1;
    }
    if (character < 0x800) {
        out[0] = (uint8_t)(0xc0 | character >> 6);
        out[1] = (uint8_t)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        out[0] = (uint8_t)(0xe0 | character >> 12);
        out[1] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (character & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | character >> 18);
    out[1] = (uint8_t)(0x80 | (character >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (character & 0x3f));
    return 4;
}

/* RFC 8259 section 7: a character beyond the first plane is two escapes. *at: behind "\u". */
static bool read_character(struct span text, size_t *at, uint32_t *character)
{
    *character = read_hex4(text, *at);
    *at += 4;
    if (*character < 0xd800 || *character > 0xdfff)
        return true;
    if (*character > 0xdbff || text.length - *at < 6 || text.bytes[*at] != '\\' ||
        text.bytes[*at + 1] != 'u')
        return false;
    const uint32_t low = read_hex4(text, *at + 2);
    if (low < 0xdc00 || low > 0xdfff)
        return false;
    *at += 6;
    *character = 0x10000 + ((*character - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

struct span json_string(const struct json_value *value, struct arena *arena)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    const struct span text = value->text, none = {NULL, 0};
    uint8_t *out = value->type == JSON_STRING ? arena_alloc(arena, text.length) : NULL;
    size_t length = 0;
    if (!out)
        return none;
    for (size_t at = 0; at < text.length;) {
        uint32_t character;
        const uint8_t byte = text.bytes[at++];
        if (byte != '\\') {
            out[length++] = byte;
            continue;
        }
        const uint8_t letter = text.bytes[at++];
        const char *found = memchr(letters, letter, sizeof(letters) - 1);
        if (found)
            out[length++] = (uint8_t)meanings[found - letters];
        else if (letter != 'u')
            out[length++] = letter;
        else if (read_character(text, &at, &character))
            length += encode(character, out + length);
        else
            return none;
    }
    return span_of(out, length);
}

bool json_integer(const struct json_value *value, int64_t *result)
{
    struct span whole, fraction;
    uint64_t number;
    if (value->type != JSON_NUMBER ||
        span_find_byte(value->text, 'e') + span_find_byte(value->text, 'E') <
            2 * value->text.length)
        return false;
    (void)span_split_once(value->text, '.', &whole, &fraction);
    const bool is_negative = whole.length > 0 && whole.bytes[0] == '-';
    if (!number_parse_uint64(span_after(whole, is_negative ? 1 : 0), INT64_MAX, &number))
        return false;
    *result = is_negative ? -(int64_t)number : (int64_t)number;
    return true;
}
