/* limitd/snapshot - see snapshot.h. */
#include "snapshot.h"

#include "base/number.h"

static const char magic[8] = {'P', 'H', 'L', 'I', 'M', 'I', 'T', '1'};

enum { CHECKSUM_OFFSET = 32 };

struct record {
    enum limit_kind kind;
    int64_t age_ms;
    int64_t window_ms;
    uint32_t count;
    struct span name;
};

/* Against accidents; who can write the file can do everything with it. */
static uint64_t checksum(struct span header, struct span records)
{
    static const uint8_t seed[16] = "posthouse limits";
    uint8_t both[CHECKSUM_OFFSET + 8];
    memcpy(both, header.bytes, CHECKSUM_OFFSET);
    number_put_uint64(both + CHECKSUM_OFFSET, map_siphash(seed, records));
    return map_siphash(seed, span_of(both, sizeof(both)));
}

static void append_counter(const struct counter *counter, int64_t now_ms, struct buffer *bytes)
{
    buffer_append_byte(bytes, (uint8_t)counter->kind);
    buffer_append_uint16(bytes, (uint16_t)counter->name.length);
    buffer_append_uint64(bytes, (uint64_t)(now_ms - counter->began_ms));
    buffer_append_uint64(bytes, (uint64_t)counter->window_ms);
    buffer_append_uint32(bytes, counter->count);
    buffer_append_span(bytes, counter->name);
}

static uint32_t append_list(const struct list *list, bool is_whole, int64_t now_ms,
                            struct buffer *bytes)
{
    uint32_t count = 0;
    LIST_FOR_EACH (list, link) {
        const struct counter *counter = LIST_ITEM(link, struct counter, link);
        if (counter_count(counter, now_ms) == 0 ||
            !(is_whole || limit_kind_facts(counter->kind)->is_persistent))
            continue;
        append_counter(counter, now_ms, bytes);
        count++;
    }
    return count;
}

void snapshot_seal(uint8_t *bytes, size_t length)
{
    const struct span records = span_after(span_of(bytes, length), SNAPSHOT_HEADER_BYTES);
    number_put_uint32(bytes + 24, (uint32_t)records.length);
    number_put_uint64(bytes + CHECKSUM_OFFSET, checksum(span_of(bytes, length), records));
}

void snapshot_encode(const struct counters *counters, bool is_whole, uint64_t serial,
                     uint64_t time_us, int64_t now_ms, struct buffer *bytes)
{
    uint8_t header[SNAPSHOT_HEADER_BYTES] = {0};
    const size_t begin = bytes->length;
    buffer_append(bytes, header, sizeof(header));
    /* In the order in which room would be made: what was used last is restored last. */
    uint32_t count = 0;
    for (int kind = 0; kind < LIMIT_KIND_COUNT; kind++)
        count += append_list(&counters->idle[kind], is_whole, now_ms, bytes);
    count += append_list(&counters->held, is_whole, now_ms, bytes);
    if (!buffer_ok(bytes))
        return;
    memcpy(header, magic, sizeof(magic));
    number_put_uint64(header + 8, serial);
    number_put_uint64(header + 16, time_us);
    number_put_uint32(header + 28, count);
    memcpy(bytes->bytes + begin, header, sizeof(header));
    snapshot_seal(bytes->bytes + begin, bytes->length - begin);
}

static enum parse_result next_record(struct span *rest, struct record *record)
{
    if (rest->length == 0)
        return PARSE_NEED_MORE;
    if (rest->length < SNAPSHOT_RECORD_BYTES)
        return PARSE_MALFORMED;
    const uint8_t *bytes = rest->bytes;
    const uint64_t age_ms = number_get_uint64(bytes + 3);
    const uint64_t window_ms = number_get_uint64(bytes + 11);
    const size_t name_length = number_get_uint16(bytes + 1);
    if (!limit_kind_facts(bytes[0]) || age_ms > INT64_MAX / 4 || window_ms > INT64_MAX / 4 ||
        name_length > COUNTER_KEY_MAX_BYTES ||
        rest->length < (size_t)SNAPSHOT_RECORD_BYTES + name_length)
        return PARSE_MALFORMED;
    *record = (struct record){
        .kind = (enum limit_kind)bytes[0],
        .age_ms = (int64_t)age_ms,
        .window_ms = (int64_t)window_ms,
        .count = number_get_uint32(bytes + 19),
        .name = span_of(bytes + SNAPSHOT_RECORD_BYTES, name_length),
    };
    *rest = span_after(*rest, (size_t)SNAPSHOT_RECORD_BYTES + name_length);
    return PARSE_OK;
}

enum parse_result snapshot_decode(struct span bytes, struct snapshot *snapshot)
{
    if (bytes.length < SNAPSHOT_HEADER_BYTES)
        return PARSE_NEED_MORE;
    const struct snapshot read = {
        .serial = number_get_uint64(bytes.bytes + 8),
        .time_us = number_get_uint64(bytes.bytes + 16),
        .record_count = number_get_uint32(bytes.bytes + 28),
        .records = span_after(bytes, SNAPSHOT_HEADER_BYTES),
    };
    if (memcmp(bytes.bytes, magic, sizeof(magic)) != 0)
        return PARSE_MALFORMED;
    if (read.records.length < number_get_uint32(bytes.bytes + 24))
        return PARSE_NEED_MORE;
    if (read.records.length > number_get_uint32(bytes.bytes + 24) ||
        number_get_uint64(bytes.bytes + CHECKSUM_OFFSET) != checksum(bytes, read.records))
        return PARSE_MALFORMED;
    struct span rest = read.records;
    struct record record;
    for (uint32_t i = 0; i < read.record_count; i++)
        if (next_record(&rest, &record) != PARSE_OK)
            return PARSE_MALFORMED;
    if (rest.length)
        return PARSE_MALFORMED;
    *snapshot = read;
    return PARSE_OK;
}

void snapshot_restore(const struct snapshot *snapshot, uint64_t time_us, int64_t now_ms,
                      struct counters *counters)
{
    /* A clock that was turned back: no time has passed, as far as anybody knows. */
    const uint64_t passed_us = time_us > snapshot->time_us ? time_us - snapshot->time_us : 0;
    const int64_t passed_ms = (int64_t)(passed_us / 1000);
    struct span rest = snapshot->records;
    struct record record;
    while (next_record(&rest, &record) == PARSE_OK) {
        const int64_t age_ms = record.age_ms + passed_ms;
        struct counter *counter = age_ms < record.window_ms
                                      ? counters_get(counters, record.kind, record.name, now_ms)
                                      : NULL;
        if (counter)
            counter_set(counter, record.count, record.window_ms, now_ms - age_ms);
    }
}
