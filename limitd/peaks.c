/* limitd/peaks - see peaks.h. */
#include "peaks.h"

#include <inttypes.h>

enum { LINE_MAX_BYTES = COUNTER_KEY_MAX_BYTES + 256, TIME_MAX_BYTES = 32 };

static void note(struct peak *peak, struct span name, uint32_t value, time_t now)
{
    if (value <= peak->value)
        return;
    const struct span kept = span_first(name, sizeof(peak->name));
    peak->value = value;
    peak->when = now;
    peak->name_length = kept.length;
    memcpy(peak->name, kept.bytes, kept.length);
}

void peaks_note_rate(struct peaks *peaks, enum limit_kind kind, struct span name, uint32_t count,
                     time_t now)
{
    note(&peaks->rates[kind], name, count, now);
}

void peaks_note_connections(struct peaks *peaks, struct span name, uint32_t count, time_t now)
{
    note(&peaks->connections, name, count, now);
}

void peaks_note_cache(struct peaks *peaks, size_t size, time_t now)
{
    if (size <= peaks->cache_size)
        return;
    peaks->cache_size = size;
    peaks->cache_time = now;
}

/* As ctime() has it, without day of the week and year. */
static void append_time(struct buffer *line, time_t when)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm local;
    if (localtime_r(&when, &local))
        buffer_append_format(line, " at %.3s %2d %02d:%02d:%02d",
                             months + (ptrdiff_t)local.tm_mon * 3, local.tm_mday, local.tm_hour,
                             local.tm_min, local.tm_sec);
}

static void report_rate(struct peak *peak, const char *name, int64_t time_unit_s,
                        struct buffer *line)
{
    buffer_append_format(line, "statistics: max %s rate %" PRIu32 "/%" PRId64 "s for (%.*s)", name,
                         peak->value, time_unit_s,
                         SPAN_PRINTF(span_of(peak->name, peak->name_length)));
    append_time(line, peak->when);
}

static void report_connections(const struct peak *peak, struct buffer *line)
{
    buffer_append_format(line, "statistics: max connection count %" PRIu32 " for (%.*s)",
                         peak->value, SPAN_PRINTF(span_of(peak->name, peak->name_length)));
    append_time(line, peak->when);
}

void peaks_report(struct peaks *peaks, int64_t time_unit_s,
                  void (*say)(void *context, struct span line), void *context)
{
    struct buffer line;
    buffer_init(&line, NULL, LINE_MAX_BYTES);
    for (int kind = LIMIT_KIND_NONE + 1; kind < LIMIT_KIND_COUNT; kind++) {
        const char *name = limit_kind_facts((uint32_t)kind)->name;
        if (peaks->rates[kind].value > 0 && name) {
            buffer_reset(&line);
            report_rate(&peaks->rates[kind], name, time_unit_s, &line);
            say(context, buffer_span(&line));
        }
        peaks->rates[kind].value = 0;
        if (kind == LIMIT_KIND_CONNECTION && peaks->connections.value > 0) {
            buffer_reset(&line);
            report_connections(&peaks->connections, &line);
            say(context, buffer_span(&line));
            peaks->connections.value = 0;
        }
    }
    if (peaks->cache_size > 0) {
        buffer_reset(&line);
        buffer_append_format(&line, "statistics: max cache size %zu", peaks->cache_size);
        append_time(&line, peaks->cache_time);
        say(context, buffer_span(&line));
        peaks->cache_size = 0;
    }
    buffer_release(&line);
}
