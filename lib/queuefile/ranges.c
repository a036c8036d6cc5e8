/* queuefile/ranges - see ranges.h. */
#include "queuefile/ranges.h"

#include "base/number.h"

static void append_range(const struct queue_ranges *ranges, struct buffer *out)
{
    const struct queue_range range = ranges->range;
    buffer_append_format(out, ranges->count > 1 ? ",%u" : "%u", (unsigned)range.first);
    if (range.last > range.first)
        buffer_append_format(out, "-%u", (unsigned)range.last);
}

bool queue_ranges_add(struct queue_ranges *ranges, uint32_t index, struct buffer *out)
{
    if (ranges->count > 0 && index <= ranges->range.last)
        return false;
    if (ranges->count > 0 && index == ranges->range.last + 1) {
        ranges->range.last = index;
        return true;
    }
    if (ranges->count == QUEUE_RANGES_MAX)
        return false;
    if (ranges->count > 0)
        append_range(ranges, out);
    ranges->range = (struct queue_range){index, index};
    ranges->count++;
    return true;
}

void queue_ranges_finish(const struct queue_ranges *ranges, struct buffer *out)
{
    if (ranges->count > 0)
        append_range(ranges, out);
}

/* As append_range() writes it: no leading zeros. */
static bool parse_index(struct span text, uint32_t *index)
{
    uint64_t value;
    if ((text.length > 1 && text.bytes[0] == '0') || !number_parse_uint64(text, UINT32_MAX, &value))
        return false;
    *index = (uint32_t)value;
    return true;
}

enum parse_result queue_ranges_next(struct span *rest, struct queue_ranges *ranges)
{
    const size_t end = span_find_byte(*rest, ',');
    const struct span item = span_first(*rest, end);
    const size_t first_end = span_find_byte(item, '-');
    struct queue_range range;
    if (ranges->count == QUEUE_RANGES_MAX)
        return PARSE_TOO_LONG;
    if (end + 1 == rest->length || !parse_index(span_first(item, first_end), &range.first))
        return PARSE_MALFORMED;
    range.last = range.first;
    if (first_end < item.length &&
        (!parse_index(span_after(item, first_end + 1), &range.last) || range.last <= range.first))
        return PARSE_MALFORMED;
    if (ranges->count > 0 && range.first <= (uint64_t)ranges->range.last + 1)
        return PARSE_MALFORMED;
    ranges->range = range;
    ranges->count++;
    *rest = end < rest->length ? span_after(*rest, end + 1) : span_empty();
    return PARSE_OK;
}
