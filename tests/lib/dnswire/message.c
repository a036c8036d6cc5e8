/* tests/lib/dnswire/message - see message.h. */
#include "message.h"

#include <arpa/inet.h>

#include "base/base64.h"
#include "base/number.h"

/* Appends a name, pointing at the first place where the whole of it stood before. */
static void put_name(struct buffer *message, const char *text)
{
    struct dns_name name;
    ASSERT(dns_name_from_text(span_from_string(text), &name) == PARSE_OK);
    const struct span before = buffer_span(message);
    const size_t place =
        name.length > 1 ? span_find(span_after(before, DNS_HEADER_BYTES), dns_name_span(&name)) +
                              DNS_HEADER_BYTES
                        : before.length;
    if (place < before.length && place < 0x4000)
        buffer_append_uint16(message, (uint16_t)(0xc000 | place));
    else
        buffer_append_span(message, dns_name_span(&name));
}

static uint64_t take_number(struct span *rest)
{
    struct span word;
    uint64_t number;
    ASSERT(span_next_word(rest, " ", &word) && number_parse_uint64(word, UINT32_MAX, &number));
    return number;
}

static void put_data(struct buffer *message, const struct test_record *record)
{
    struct span rest = span_from_string(record->data), word;
    uint8_t address[16];

    if (record->data[0] == '#') {
        ASSERT(hex_decode(span_after(rest, 1), message) == PARSE_OK);
        return;
    }
    switch (record->type) {
    case DNS_TYPE_A:
    case DNS_TYPE_AAAA:
        ASSERT(inet_pton(record->type == DNS_TYPE_A ? AF_INET : AF_INET6, record->data, address) ==
               1);
        buffer_append(message, address, record->type == DNS_TYPE_A ? 4 : 16);
        return;
    case DNS_TYPE_TXT:
        while (span_next_word(&rest, "|", &word)) {
            buffer_append_byte(message, (uint8_t)word.length);
            buffer_append_span(message, word);
        }
        return;
    case DNS_TYPE_SOA:
        put_name(message, "ns.example.");
        put_name(message, "hostmaster.example.");
        for (size_t i = 0; i < 4; i++)
            buffer_append_uint32(message, 7);
        buffer_append_uint32(message, (uint32_t)take_number(&rest));
        return;
    case DNS_TYPE_SRV:
        buffer_append_uint16(message, (uint16_t)take_number(&rest));
        buffer_append_uint16(message, (uint16_t)take_number(&rest));
        buffer_append_uint16(message, (uint16_t)take_number(&rest));
        break;
    case DNS_TYPE_MX:
        buffer_append_uint16(message, (uint16_t)take_number(&rest));
        break;
    default:
        break;
    }
    ASSERT(span_next_word(&rest, " ", &word));
    put_name(message, (const char *)word.bytes); /* always the last word */
}

void test_message_build(const struct test_message *row, struct buffer *message)
{
    uint16_t counts[3] = {0, 0, 0};
    for (const struct test_record *record = row->records; record && record->owner; record++)
        counts[record->section]++;
    buffer_append_uint16(message, 0x1234);
    buffer_append_uint16(message, row->flags);
    buffer_append_uint16(message, 1);
    for (size_t section = 0; section < 3; section++)
        buffer_append_uint16(message, counts[section]);
    put_name(message, row->question);
    buffer_append_uint16(message, row->type);
    buffer_append_uint16(message, DNS_CLASS_IN);
    for (const struct test_record *record = row->records; record && record->owner; record++) {
        put_name(message, record->owner);
        buffer_append_uint16(message, record->type);
        buffer_append_uint16(message, record->type == DNS_TYPE_OPT ? 1232 : DNS_CLASS_IN);
        buffer_append_uint32(message, record->ttl);
        const size_t length_offset = message->length;
        buffer_append_uint16(message, 0);
        put_data(message, record);
        ASSERT(buffer_ok(message));
        number_put_uint16(message->bytes + length_offset,
                          (uint16_t)(message->length - length_offset - 2));
    }
    ASSERT(buffer_ok(message));
}
