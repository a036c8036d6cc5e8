/* logd/order - see order.h. */
#include "order.h"

#include <stdlib.h>

#include "system/clock.h"

enum {
    HOLD_MS = 60, /* a batch is at most 50 ms old when it leaves its process */
    TEXTS_MAX_BYTES = 4 << 20,
    LINES_MAX = 65536
};

/* Places instead of pointers: the buffer of texts moves when it grows. */
struct log_order_line {
    uint64_t time_us;
    size_t number; /* equal times keep the order in which they came */
    size_t tag_begin, tag_length;
    size_t text_begin, text_length;
    uint32_t process_id;
    enum log_level level;
};

static void on_held(void *context)
{
    log_order_flush(context);
}

void log_order_init(struct log_order *order, struct loop *loop, struct log_destination *destination)
{
    *order = (struct log_order){.destination = destination};
    loop_timer_init(&order->timer, loop, on_held, order);
    buffer_init(&order->texts, NULL, TEXTS_MAX_BYTES);
}

void log_order_release(struct log_order *order)
{
    loop_timer_release(&order->timer);
    buffer_release(&order->texts);
    free(order->lines);
    order->lines = NULL;
    order->line_count = order->line_capacity = 0;
}

static bool has_room(struct log_order *order)
{
    if (order->line_count < order->line_capacity)
        return true;
    const size_t capacity = order->line_capacity ? order->line_capacity * 2 : 256;
    struct log_order_line *lines = realloc(order->lines, capacity * sizeof(*lines));
    if (!lines)
        return false;
    order->lines = lines;
    order->line_capacity = capacity;
    return true;
}

void log_order_put(struct log_order *order, const struct log_source *source,
                   const struct log_record *record)
{
    const size_t begin = order->texts.length;
    if (order->line_count >= LINES_MAX ||
        TEXTS_MAX_BYTES - begin < source->tag.length + record->text.length)
        log_order_flush(order);
    const size_t tag_begin = order->texts.length;
    buffer_append_span(&order->texts, source->tag);
    const size_t text_begin = order->texts.length;
    buffer_append_span(&order->texts, record->text);
    if (!buffer_ok(&order->texts) || !has_room(order)) {
        order->texts.length = tag_begin;
        order->texts.has_failed = false;
        log_destination_put(order->destination, source, record);
        return;
    }
    order->lines[order->line_count] = (struct log_order_line){
        .time_us = record->time_us,
        .number = order->line_count,
        .tag_begin = tag_begin,
        .tag_length = source->tag.length,
        .text_begin = text_begin,
        .text_length = record->text.length,
        .process_id = source->process_id,
        .level = record->level,
    };
    if (order->line_count++ == 0)
        loop_timer_set(&order->timer, clock_deadline_after(HOLD_MS));
}

static int compare(const void *left, const void *right)
{
    const struct log_order_line *a = left, *b = right;
    if (a->time_us != b->time_us)
        return a->time_us < b->time_us ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

void log_order_flush(struct log_order *order)
{
    const struct span texts = buffer_span(&order->texts);
    if (order->line_count)
        qsort(order->lines, order->line_count, sizeof(*order->lines), compare);
    for (size_t i = 0; i < order->line_count; i++) {
        const struct log_order_line *line = &order->lines[i];
        const struct log_source source = {
            span_between(texts, line->tag_begin, line->tag_begin + line->tag_length),
            line->process_id};
        const struct log_record record = {
            line->level, line->time_us,
            span_between(texts, line->text_begin, line->text_begin + line->text_length)};
        log_destination_put(order->destination, &source, &record);
    }
    order->line_count = 0;
    buffer_release(&order->texts);
    loop_timer_set(&order->timer, CLOCK_NEVER);
}
