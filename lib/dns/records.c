/* dns/records - see records.h. */
#include "dns/records.h"

#include "base/number.h"
#include "ipc/codec.h"

/* What has no field of its own stands in front of the data (RFC 2782, RFC 6698 section 2.1). */
enum { SRV_DATA_BYTES = 4, TLSA_HEAD_BYTES = 3 };

static bool pack_record(const struct dns_record *record, struct buffer *records)
{
    uint8_t head[SRV_DATA_BYTES];
    struct buffer data;
    struct ipc_dns_record message = {.type = record->type,
                                     .preference = record->priority,
                                     .name = record->target,
                                     .data = record->data};
    if (record->type == DNS_TYPE_SRV) {
        number_put_uint16(head, record->weight);
        number_put_uint16(head + 2, record->port);
        message.data = span_of(head, SRV_DATA_BYTES);
    }
    buffer_init(&data, NULL, DNS_RECORDS_MAX_BYTES);
    if (record->type == DNS_TYPE_TLSA) {
        buffer_append_byte(&data, record->tlsa_usage);
        buffer_append_byte(&data, record->tlsa_selector);
        buffer_append_byte(&data, record->tlsa_matching_type);
        buffer_append_span(&data, record->data);
        message.data = buffer_span(&data);
    }
    if (buffer_ok(&data))
        ipc_records_append(IPC_DNS_RECORD, &message, records);
    const bool is_packed = buffer_ok(&data) && buffer_ok(records);
    buffer_release(&data);
    return is_packed;
}

bool dns_records_pack(const struct dns_answer *answer, struct buffer *records)
{
    const size_t before = records->length;
    for (size_t i = 0; i < answer->record_count; i++)
        if (!pack_record(&answer->records[i], records))
            return false;
    return buffer_ok(records) && records->length - before <= DNS_RECORDS_MAX_BYTES;
}

static bool unpack_record(const struct ipc_dns_record *message, struct dns_record *record)
{
    const struct span data = message->data;
    uint16_t type, priority;
    if (!number_to_uint16(message->type, &type) ||
        !number_to_uint16(message->preference, &priority))
        return false;
    *record = (struct dns_record){
        .type = type, .priority = priority, .target = message->name, .data = data};
    switch (type) { /* what other code relies on without looking again */
    case DNS_TYPE_A:
        return data.length == 4;
    case DNS_TYPE_AAAA:
        return data.length == 16;
    case DNS_TYPE_SRV:
        if (data.length != SRV_DATA_BYTES)
            return false;
        record->weight = number_get_uint16(data.bytes);
        record->port = number_get_uint16(data.bytes + 2);
        record->data = span_empty();
        return true;
    case DNS_TYPE_TLSA:
        if (data.length < TLSA_HEAD_BYTES)
            return false;
        record->tlsa_usage = data.bytes[0];
        record->tlsa_selector = data.bytes[1];
        record->tlsa_matching_type = data.bytes[2];
        record->data = span_after(data, TLSA_HEAD_BYTES);
        return true;
    default:
        return true;
    }
}

enum parse_result dns_records_unpack(struct span packed, struct arena *arena,
                                     struct dns_answer *answer)
{
    struct span rest = packed;
    struct ipc_dns_record message;
    size_t count = 0;

    if (packed.length > DNS_RECORDS_MAX_BYTES)
        return PARSE_TOO_LONG;
    while (!span_is_empty(rest)) {
        if (ipc_records_next(&rest, IPC_DNS_RECORD, &message) != PARSE_OK)
            return PARSE_MALFORMED;
        count++;
    }
    if (count > DNS_ANSWER_MAX_RECORDS)
        return PARSE_TOO_LONG;
    struct dns_record *records = arena_alloc(arena, count * sizeof(*records));
    if (!records)
        return PARSE_TOO_LONG;
    rest = packed;
    for (size_t i = 0; i < count; i++)
        if (ipc_records_next(&rest, IPC_DNS_RECORD, &message) != PARSE_OK ||
            !unpack_record(&message, &records[i]))
            return PARSE_MALFORMED;
    answer->records = records;
    answer->record_count = count;
    return PARSE_OK;
}
