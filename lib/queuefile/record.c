/* queuefile/record - see record_private.h. */
#include "base/number.h"
#include "queuefile/record_private.h"

enum { ATTRIBUTE_HEAD_BYTES = 3 };

_Static_assert(sizeof(enum record_type) == sizeof(unsigned), "enums are kept as unsigned");

static size_t width_of(enum record_type type)
{
    static const size_t widths[] = {
        [RECORD_TEXT] = 0,   [RECORD_UINT8] = 1,  [RECORD_ENUM] = 1,
        [RECORD_UINT16] = 2, [RECORD_UINT32] = 4, [RECORD_UINT64] = 8,
    };
    return widths[type];
}

/* Control characters would end a log line, a mailq line or an SMTP command too early. */
static bool is_clean_text(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] < 0x20 || text.bytes[i] == 0x7f)
            return false;
    return true;
}

static uint64_t load_integer(const struct record_field *field, const void *structure)
{
    const uint8_t *place = (const uint8_t *)structure + field->offset;
    uint16_t value16;
    uint32_t value32;
    uint64_t value64;
    unsigned value;
    switch (field->type) {
    case RECORD_UINT8:
        return *place;
    case RECORD_ENUM:
        memcpy(&value, place, sizeof(value));
        return value;
    case RECORD_UINT16:
        memcpy(&value16, place, sizeof(value16));
        return value16;
    case RECORD_UINT32:
        memcpy(&value32, place, sizeof(value32));
        return value32;
    default:
        memcpy(&value64, place, sizeof(value64));
        return value64;
    }
}

static void store_integer(const struct record_field *field, void *structure, uint64_t number)
{
    uint8_t *place = (uint8_t *)structure + field->offset;
    const uint16_t value16 = (uint16_t)number;
    const uint32_t value32 = (uint32_t)number;
    const unsigned value = (unsigned)number;
    switch (field->type) {
    case RECORD_UINT8:
        *place = (uint8_t)number;
        break;
    case RECORD_ENUM:
        memcpy(place, &value, sizeof(value));
        break;
    case RECORD_UINT16:
        memcpy(place, &value16, sizeof(value16));
        break;
    case RECORD_UINT32:
        memcpy(place, &value32, sizeof(value32));
        break;
    default:
        memcpy(place, &number, sizeof(number));
        break;
    }
}

static bool encode_text(struct buffer *out, const struct record_field *field, const void *structure)
{
    struct span text;
    memcpy(&text, (const uint8_t *)structure + field->offset, sizeof(text));
    if (span_is_empty(text) && !field->is_required)
        return true;
    if (text.length > field->maximum || text.length > UINT16_MAX || !is_clean_text(text))
        return false;
    buffer_append_byte(out, field->tag);
    buffer_append_uint16(out, (uint16_t)text.length);
    buffer_append_span(out, text);
    return true;
}

static bool encode_integer(struct buffer *out, const struct record_field *field,
                           const void *structure)
{
    const uint64_t number = load_integer(field, structure);
    const size_t width = width_of(field->type);
    uint8_t bytes[8];
    if (number == 0 && !field->is_required)
        return true;
    if (number > field->maximum)
        return false;
    buffer_append_byte(out, field->tag);
    buffer_append_uint16(out, (uint16_t)width);
    number_put_uint64(bytes, number);
    buffer_append(out, bytes + sizeof(bytes) - width, width);
    return true;
}

void record_encode(struct buffer *out, uint8_t kind, const struct record_field *fields,
                   size_t field_count, const void *structure)
{
    const size_t start = out->length;
    buffer_append_byte(out, kind);
    buffer_append_uint16(out, 0);
    for (size_t i = 0; i < field_count; i++)
        if (!(fields[i].type == RECORD_TEXT ? encode_text : encode_integer)(out, &fields[i],
                                                                            structure))
            out->has_failed = true;
    if (!buffer_ok(out))
        return;
    const size_t length = out->length - start - RECORD_HEAD_BYTES;
    if (length > UINT16_MAX)
        out->has_failed = true;
    else
        number_put_uint16(out->bytes + start + 1, (uint16_t)length);
}

static const struct record_field *find_field(const struct record_field *fields, size_t field_count,
                                             uint8_t tag)
{
    for (size_t i = 0; i < field_count; i++)
        if (fields[i].tag == tag)
            return &fields[i];
    return NULL;
}

static bool decode_value(const struct record_field *field, struct span value, void *structure)
{
    if (field->type == RECORD_TEXT) {
        if (value.length > field->maximum || !is_clean_text(value))
            return false;
        memcpy((uint8_t *)structure + field->offset, &value, sizeof(value));
        return true;
    }
    uint64_t number = 0;
    if (value.length != width_of(field->type))
        return false;
    for (size_t i = 0; i < value.length; i++)
        number = number << 8 | value.bytes[i];
    if (number > field->maximum)
        return false;
    store_integer(field, structure, number);
    return true;
}

bool record_peek_kind(struct span bytes, uint8_t *kind)
{
    if (span_is_empty(bytes))
        return false;
    *kind = bytes.bytes[0];
    return true;
}

enum parse_result record_decode(struct span *rest, uint8_t kind, const struct record_field *fields,
                                size_t field_count, void *structure)
{
    uint64_t seen = 0;
    if (rest->length > 0 && rest->bytes[0] != kind)
        return PARSE_MALFORMED;
    if (rest->length < RECORD_HEAD_BYTES)
        return PARSE_NEED_MORE;
    const size_t length = number_get_uint16(rest->bytes + 1);
    struct span body = span_first(span_after(*rest, RECORD_HEAD_BYTES), length);
    if (body.length < length)
        return PARSE_NEED_MORE;
    while (body.length >= ATTRIBUTE_HEAD_BYTES) {
        const struct record_field *field = find_field(fields, field_count, body.bytes[0]);
        const size_t value_length = number_get_uint16(body.bytes + 1);
        const struct span value = span_first(span_after(body, ATTRIBUTE_HEAD_BYTES), value_length);
        if (!field || value.length < value_length)
            return PARSE_MALFORMED;
        const uint64_t bit = UINT64_C(1) << (size_t)(field - fields);
        if ((seen & bit) != 0 || !decode_value(field, value, structure))
            return PARSE_MALFORMED;
        seen |= bit;
        body = span_after(body, ATTRIBUTE_HEAD_BYTES + value_length);
    }
    if (body.length > 0)
        return PARSE_MALFORMED;
    for (size_t i = 0; i < field_count; i++)
        if (fields[i].is_required && (seen >> i & 1) == 0)
            return PARSE_MALFORMED;
    *rest = span_after(*rest, RECORD_HEAD_BYTES + length);
    return PARSE_OK;
}
