/* ipc/codec - see codec.h. */
#include "ipc/codec.h"

#include "base/ascii.h"
#include "base/number.h"

enum { ATTRIBUTE_HEADER_BYTES = 3, OUTCOME_FIXED_BYTES = 9, RECORD_HEADER_BYTES = 5 };

static const void *field_at(const void *message, const struct ipc_field *field)
{
    return (const uint8_t *)message + field->offset;
}

static void *field_in(void *message, const struct ipc_field *field)
{
    return (uint8_t *)message + field->offset;
}

static void put_attribute(struct buffer *body, const struct ipc_field *field, size_t length)
{
    buffer_append_byte(body, field->tag);
    buffer_append_uint16(body, (uint16_t)length);
}

static void encode_span(struct buffer *body, const struct ipc_field *field, struct span value)
{
    if (value.length == 0 && !field->is_required)
        return;
    /* What the decoder would refuse costs the whole channel there. */
    if (value.length > field->maximum_bytes || value.length > UINT16_MAX ||
        (field->type == IPC_FIELD_TEXT && span_find_byte(value, '\0') < value.length)) {
        body->has_failed = true;
        return;
    }
    put_attribute(body, field, value.length);
    buffer_append_span(body, value);
}

static void encode_outcome(struct buffer *body, const struct ipc_field *field,
                           const struct outcome *outcome)
{
    /* A reason is for people: too long a one is cut, not refused. */
    const struct span reason = span_first(outcome->reason, field->maximum_bytes);
    put_attribute(body, field, OUTCOME_FIXED_BYTES + reason.length);
    buffer_append_byte(body, (uint8_t)outcome->kind);
    buffer_append_uint16(body, outcome->reply_code);
    buffer_append_uint16(body, outcome->status.class);
    buffer_append_uint16(body, outcome->status.subject);
    buffer_append_uint16(body, outcome->status.detail);
    buffer_append_span(body, reason);
}

static void encode_descriptor(struct buffer *body, const struct ipc_field *field, int descriptor,
                              struct ipc_descriptors *descriptors)
{
    if (descriptor < 0) {
        if (field->is_required)
            body->has_failed = true;
        return;
    }
    if (!descriptors || descriptors->count >= IPC_DESCRIPTORS_PER_MESSAGE) {
        body->has_failed = true;
        return;
    }
    put_attribute(body, field, 0);
    descriptors->values[descriptors->count++] = descriptor;
}

void ipc_encode(enum ipc_type type, const void *message, struct buffer *body,
                struct ipc_descriptors *descriptors)
{
    const struct ipc_description *description = ipc_describe(type);
    ASSERT(description);
    for (const struct ipc_field *field = description->fields; field->tag; field++) {
        const void *value = field_at(message, field);
        switch (field->type) {
        case IPC_FIELD_U32:
            put_attribute(body, field, 4);
            buffer_append_uint32(body, *(const uint32_t *)value);
            break;
        case IPC_FIELD_U64:
            put_attribute(body, field, 8);
            buffer_append_uint64(body, *(const uint64_t *)value);
            break;
        case IPC_FIELD_BOOL:
            put_attribute(body, field, 1);
            buffer_append_byte(body, *(const bool *)value);
            break;
        case IPC_FIELD_TEXT:
        case IPC_FIELD_BYTES:
            encode_span(body, field, *(const struct span *)value);
            break;
        case IPC_FIELD_FD:
            encode_descriptor(body, field, *(const int *)value, descriptors);
            break;
        case IPC_FIELD_OUTCOME:
            encode_outcome(body, field, value);
            break;
        }
    }
}

static enum parse_result decode_outcome(struct span value, const struct ipc_field *field,
                                        struct outcome *outcome)
{
    if (value.length < OUTCOME_FIXED_BYTES || value.bytes[0] > OUTCOME_PERMANENT)
        return PARSE_MALFORMED;
    outcome->kind = (enum outcome_kind)value.bytes[0];
    outcome->reply_code = number_get_uint16(value.bytes + 1);
    outcome->status.class = number_get_uint16(value.bytes + 3);
    outcome->status.subject = number_get_uint16(value.bytes + 5);
    outcome->status.detail = number_get_uint16(value.bytes + 7);
    outcome->reason = span_after(value, OUTCOME_FIXED_BYTES);
    const uint16_t class = outcome->kind == OUTCOME_OK          ? 2
                           : outcome->kind == OUTCOME_TEMPORARY ? 4
                                                                : 5;
    if (outcome->status.class != class || outcome->status.subject > 999 ||
        outcome->status.detail > 999 || outcome->reply_code > 599)
        return PARSE_MALFORMED;
    return outcome->reason.length > field->maximum_bytes ? PARSE_TOO_LONG : PARSE_OK;
}

static enum parse_result decode_value(struct span value, const struct ipc_field *field, void *at)
{
    switch (field->type) {
    case IPC_FIELD_U32:
        if (value.length != 4)
            return PARSE_MALFORMED;
        *(uint32_t *)at = number_get_uint32(value.bytes);
        return PARSE_OK;
    case IPC_FIELD_U64:
        if (value.length != 8)
            return PARSE_MALFORMED;
        *(uint64_t *)at = number_get_uint64(value.bytes);
        return PARSE_OK;
    case IPC_FIELD_BOOL:
        if (value.length != 1 || value.bytes[0] > 1)
            return PARSE_MALFORMED;
        *(bool *)at = value.bytes[0] == 1;
        return PARSE_OK;
    case IPC_FIELD_TEXT:
        if (span_find_byte(value, '\0') < value.length)
            return PARSE_MALFORMED;
        *(struct span *)at = value;
        return value.length > field->maximum_bytes ? PARSE_TOO_LONG : PARSE_OK;
    case IPC_FIELD_BYTES:
        *(struct span *)at = value;
        return value.length > field->maximum_bytes ? PARSE_TOO_LONG : PARSE_OK;
    case IPC_FIELD_OUTCOME:
        return decode_outcome(value, field, at);
    case IPC_FIELD_FD:
        break;
    }
    return PARSE_MALFORMED;
}

static void set_defaults(const struct ipc_description *description, void *message)
{
    memset(message, 0, description->size);
    for (const struct ipc_field *field = description->fields; field->tag; field++) {
        if (field->type == IPC_FIELD_FD)
            *(int *)field_in(message, field) = -1;
        else if (field->type == IPC_FIELD_TEXT || field->type == IPC_FIELD_BYTES)
            *(struct span *)field_in(message, field) = span_empty();
        else if (field->type == IPC_FIELD_OUTCOME)
            *(struct outcome *)field_in(message, field) = outcome_ok();
    }
}

/* The attribute at the front of *rest if it has this tag. */
static bool take_attribute(struct span *rest, uint8_t tag, struct span *value)
{
    if (rest->length < ATTRIBUTE_HEADER_BYTES || rest->bytes[0] != tag)
        return false;
    const size_t length = number_get_uint16(rest->bytes + 1);
    if (length > rest->length - ATTRIBUTE_HEADER_BYTES)
        return false;
    *value = span_between(*rest, ATTRIBUTE_HEADER_BYTES, ATTRIBUTE_HEADER_BYTES + length);
    *rest = span_after(*rest, ATTRIBUTE_HEADER_BYTES + length);
    return true;
}

enum parse_result ipc_decode(enum ipc_type type, struct span body,
                             const struct ipc_descriptors *descriptors, void *message)
{
    const struct ipc_description *description = ipc_describe(type);
    size_t descriptor_count = 0;
    if (!description)
        return PARSE_MALFORMED;
    set_defaults(description, message);
    for (const struct ipc_field *field = description->fields; field->tag; field++) {
        struct span value;
        if (!take_attribute(&body, field->tag, &value)) {
            if (field->is_required)
                return PARSE_MALFORMED;
            continue;
        }
        if (field->type == IPC_FIELD_FD) {
            if (value.length != 0 || !descriptors || descriptor_count >= descriptors->count)
                return PARSE_MALFORMED;
            *(int *)field_in(message, field) = descriptors->values[descriptor_count++];
            continue;
        }
        const enum parse_result result = decode_value(value, field, field_in(message, field));
        if (result != PARSE_OK)
            return result;
    }
    if (body.length != 0 || descriptor_count != (descriptors ? descriptors->count : 0))
        return PARSE_MALFORMED;
    return PARSE_OK;
}

bool ipc_copy_spans(enum ipc_type type, void *message, struct arena *arena)
{
    const struct ipc_description *description = ipc_describe(type);
    ASSERT(description);
    for (const struct ipc_field *field = description->fields; field->tag; field++) {
        struct span *span = NULL;
        if (field->type == IPC_FIELD_TEXT || field->type == IPC_FIELD_BYTES)
            span = field_in(message, field);
        else if (field->type == IPC_FIELD_OUTCOME)
            span = &((struct outcome *)field_in(message, field))->reason;
        if (!span || span->length == 0)
            continue;
        *span = arena_copy(arena, *span);
        if (!span->bytes)
            return false;
    }
    return true;
}

void ipc_records_append(enum ipc_type type, const void *message, struct buffer *records)
{
    const struct ipc_description *description = ipc_describe(type);
    ASSERT(description);
    const size_t begin = records->length;
    buffer_append_uint16(records, description->number);
    buffer_append_byte(records, description->version);
    buffer_append_uint16(records, 0);
    ipc_encode(type, message, records, NULL);
    if (!buffer_ok(records))
        return;
    const size_t length = records->length - begin - RECORD_HEADER_BYTES;
    if (length > UINT16_MAX)
        records->has_failed = true;
    else
        number_put_uint16(records->bytes + begin + 3, (uint16_t)length);
}

unsigned ipc_records_peek(struct span rest)
{
    return rest.length < RECORD_HEADER_BYTES ? 0 : number_get_uint16(rest.bytes);
}

enum parse_result ipc_records_next(struct span *rest, enum ipc_type type, void *message)
{
    const struct ipc_description *description = ipc_describe(type);
    if (!description || ipc_records_peek(*rest) != (unsigned)type ||
        rest->bytes[2] != description->version)
        return PARSE_MALFORMED;
    const size_t length = number_get_uint16(rest->bytes + 3);
    if (length > rest->length - RECORD_HEADER_BYTES)
        return PARSE_MALFORMED;
    const struct span body = span_between(*rest, RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + length);
    const enum parse_result result = ipc_decode(type, body, NULL, message);
    if (result == PARSE_OK)
        *rest = span_after(*rest, RECORD_HEADER_BYTES + length);
    return result;
}

static void print_text(struct span text, struct buffer *out)
{
    for (size_t i = 0; i < text.length; i++)
        if (ascii_is_print(text.bytes[i]) && text.bytes[i] != '\\')
            buffer_append_byte(out, text.bytes[i]);
        else
            buffer_append_format(out, "\\x%02x", text.bytes[i]);
}

void ipc_print(enum ipc_type type, const void *message, struct buffer *out)
{
    const struct ipc_description *description = ipc_describe(type);
    if (!description) {
        buffer_append_format(out, "message %u", (unsigned)type);
        return;
    }
    buffer_append_string(out, description->name);
    for (const struct ipc_field *field = description->fields; field->tag; field++) {
        const void *value = field_at(message, field);
        buffer_append_format(out, " %s=", field->name);
        switch (field->type) {
        case IPC_FIELD_U32:
            buffer_append_format(out, "%lu", (unsigned long)*(const uint32_t *)value);
            break;
        case IPC_FIELD_U64:
            buffer_append_format(out, "%llu", (unsigned long long)*(const uint64_t *)value);
            break;
        case IPC_FIELD_BOOL:
            buffer_append_string(out, *(const bool *)value ? "yes" : "no");
            break;
        case IPC_FIELD_TEXT:
            print_text(*(const struct span *)value, out);
            break;
        case IPC_FIELD_BYTES:
            buffer_append_format(out, "%zu bytes", ((const struct span *)value)->length);
            break;
        case IPC_FIELD_FD:
            buffer_append_string(out, *(const int *)value < 0 ? "none" : "descriptor");
            break;
        case IPC_FIELD_OUTCOME: {
            const struct outcome *outcome = value;
            buffer_append_format(out, "%u %u.%u.%u ", outcome->reply_code, outcome->status.class,
                                 outcome->status.subject, outcome->status.detail);
            print_text(outcome->reason, out);
            break;
        }
        }
    }
}
