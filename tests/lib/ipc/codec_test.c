/* tests/lib/ipc/codec - every message of the schema, filled and empty, whole and damaged. */
#include "../../test.h"

#include <stdlib.h>

#include "base/number.h"
#include "ipc/codec.h"
#include "ipc/packet.h"

static void fill(const struct ipc_description *description, void *message, bool is_full)
{
    int descriptor = 100;
    memset(message, 0, description->size);
    for (const struct ipc_field *field = description->fields; field->tag; field++) {
        void *at = (uint8_t *)message + field->offset;
        switch (field->type) {
        case IPC_FIELD_U32:
            *(uint32_t *)at = is_full ? 0xfffefdfcU : 0;
            break;
        case IPC_FIELD_U64:
            *(uint64_t *)at = is_full ? 0x0102030405060708U : 0;
            break;
        case IPC_FIELD_BOOL:
            *(bool *)at = is_full;
            break;
        case IPC_FIELD_TEXT:
        case IPC_FIELD_BYTES:
            *(struct span *)at = is_full ? SPAN("some bytes") : span_empty();
            break;
        case IPC_FIELD_FD:
            *(int *)at = is_full || field->is_required ? descriptor++ : -1;
            break;
        case IPC_FIELD_OUTCOME:
            *(struct outcome *)at =
                is_full ? outcome_permanent(550, 1, 1, "no such user") : outcome_ok();
            break;
        }
    }
}

static bool is_equal(const struct ipc_description *description, const void *left, const void *right)
{
    struct buffer texts[2];
    for (int i = 0; i < 2; i++) {
        buffer_init(&texts[i], NULL, 1 << 16);
        ipc_print((enum ipc_type)description->number, i ? right : left, &texts[i]);
    }
    const bool equal = span_equals(buffer_span(&texts[0]), buffer_span(&texts[1]));
    buffer_release(&texts[0]);
    buffer_release(&texts[1]);
    return equal;
}

static void test_every_message(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct ipc_description *description; (description = ipc_describe_index(count));
         count++) {
        const enum ipc_type type = (enum ipc_type)description->number;
        for (int is_full = 0; is_full < 2; is_full++) {
            union ipc_any message, decoded;
            struct ipc_descriptors descriptors = {.count = 0};
            struct buffer body;
            buffer_init(&body, NULL, 1 << 16);
            fill(description, &message, is_full);
            ipc_encode(type, &message, &body, &descriptors);
            assert_true(buffer_ok(&body));
            if (ipc_decode(type, buffer_span(&body), &descriptors, &decoded) != PARSE_OK ||
                !is_equal(description, &message, &decoded))
                fail_msg("%s does not survive", description->name);
            /* Cut at each byte: refused, or (between two attributes) lacking optional ones. */
            for (size_t cut = 0; cut < body.length; cut++) {
                const enum parse_result result =
                    ipc_decode(type, span_first(buffer_span(&body), cut), &descriptors, &decoded);
                if (result == PARSE_OK && is_equal(description, &message, &decoded) && is_full)
                    fail_msg("%s cut at %zu decodes to the same", description->name, cut);
            }
            buffer_append_byte(&body, 0);
            assert_int_not_equal(ipc_decode(type, buffer_span(&body), &descriptors, &decoded),
                                 PARSE_OK);
            descriptors.count++;
            buffer_release(&body);
        }
    }
    assert_true(count > 20);
}

static void test_limits(void **state)
{
    (void)state;
    struct buffer body;
    char text[IPC_ID_MAX + 1];
    memset(text, 'x', sizeof(text));
    buffer_init(&body, NULL, 1 << 16);
    const struct ipc_queue_abandon fits = {.queue_id = span_of(text, IPC_ID_MAX)};
    ipc_encode(IPC_QUEUE_ABANDON, &fits, &body, NULL);
    assert_true(buffer_ok(&body));
    const struct ipc_queue_abandon exceeds = {.queue_id = span_of(text, IPC_ID_MAX + 1)};
    ipc_encode(IPC_QUEUE_ABANDON, &exceeds, &body, NULL);
    assert_false(buffer_ok(&body));
    buffer_release(&body);
    /* What the other end would refuse is refused here. */
    const struct ipc_queue_abandon has_nul = {.queue_id = SPAN("a\0b")};
    buffer_init(&body, NULL, 1 << 16);
    ipc_encode(IPC_QUEUE_ABANDON, &has_nul, &body, NULL);
    assert_false(buffer_ok(&body));
    buffer_release(&body);
}

static void test_records(void **state)
{
    (void)state;
    struct buffer records;
    buffer_init(&records, NULL, 1 << 16);
    const char *const addresses[] = {"a@example.org", "b@example.org"};
    for (size_t i = 0; i < 2; i++) {
        const struct ipc_addr_recipient recipient = {.address = span_from_string(addresses[i])};
        ipc_records_append(IPC_ADDR_RECIPIENT, &recipient, &records);
    }
    struct span rest = buffer_span(&records);
    for (size_t i = 0; i < 2; i++) {
        struct ipc_addr_recipient recipient;
        assert_int_equal(ipc_records_peek(rest), IPC_ADDR_RECIPIENT);
        assert_int_equal(ipc_records_next(&rest, IPC_ADDR_RECIPIENT, &recipient), PARSE_OK);
        assert_span_is("record", recipient.address, addresses[i]);
    }
    assert_int_equal(rest.length, 0);
    assert_int_equal(ipc_records_peek(rest), 0);
    buffer_release(&records);
}

static void test_packet_header(void **state)
{
    (void)state;
    const struct ipc_record record = {
        .type = IPC_PING, .version = 1, .id = 7, .body = SPAN("1234567")};
    uint8_t packet[IPC_RECORD_HEADER_BYTES + 7];
    struct ipc_record decoded;
    ipc_packet_put_header(packet, &record);
    memcpy(packet + IPC_RECORD_HEADER_BYTES, "1234567", 7);
    struct span rest = span_of(packet, sizeof(packet));
    assert_int_equal(ipc_packet_next(&rest, &decoded), PARSE_OK);
    assert_int_equal(decoded.id, 7);
    assert_span_is("body", decoded.body, "1234567");
    for (size_t cut = 0; cut < sizeof(packet); cut++) {
        rest = span_of(packet, cut);
        assert_int_equal(ipc_packet_next(&rest, &decoded), PARSE_MALFORMED);
    }
    packet[2]++; /* another version */
    rest = span_of(packet, sizeof(packet));
    assert_int_equal(ipc_packet_next(&rest, &decoded), PARSE_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_packet_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
