/* tests/limitd/peaks - statistics lines, byte for byte as Postfix's anvil writes them. */
#include "../test.h"

#include <stdlib.h>
#include <time.h>

#include "../../limitd/peaks.h"

enum { NOW = 1795309711 }; /* Nov 22 01:08:31 2026 UTC */

struct lines {
    struct buffer text;
};

static void take(void *context, struct span line)
{
    struct lines *lines = context;
    buffer_append_span(&lines->text, line);
    buffer_append_byte(&lines->text, '\n');
}

static void test_lines(void **state)
{
    (void)state;
    static struct peaks peaks; /* large */
    struct lines lines;
    buffer_init(&lines.text, NULL, 10000);
    peaks_report(&peaks, 60, take, &lines);
    assert_int_equal(lines.text.length, 0); /* nothing happened */

    peaks_note_rate(&peaks, LIMIT_KIND_CONNECTION, SPAN("smtp:192.0.2.1"), 2, NOW);
    peaks_note_rate(&peaks, LIMIT_KIND_CONNECTION, SPAN("smtp:192.0.2.7"), 3, NOW + 1);
    peaks_note_rate(&peaks, LIMIT_KIND_CONNECTION, SPAN("smtp:192.0.2.8"), 3, NOW + 2);
    peaks_note_connections(&peaks, SPAN("smtp:192.0.2.1"), 1, NOW);
    peaks_note_rate(&peaks, LIMIT_KIND_MESSAGE, SPAN("smtp:2001:db8::/84"), 20, NOW);
    peaks_note_rate(&peaks, LIMIT_KIND_RECIPIENT, SPAN("smtp:192.0.2.1"), 21, NOW);
    peaks_note_rate(&peaks, LIMIT_KIND_NEW_TLS, SPAN("smtp:192.0.2.1"), 22, NOW);
    peaks_note_rate(&peaks, LIMIT_KIND_AUTH, SPAN("smtp:192.0.2.1"), 23, NOW);
    peaks_note_rate(&peaks, LIMIT_KIND_SENDER_MESSAGE, SPAN("a@example.org"), 24, NOW);
    peaks_note_cache(&peaks, 4, NOW);
    peaks_note_cache(&peaks, 3, NOW + 60);
    peaks_report(&peaks, 60, take, &lines);
    assert_span_is(
        "lines", buffer_span(&lines.text),
        "statistics: max connection rate 3/60s for (smtp:192.0.2.7) at Nov 22 01:08:32\n"
        "statistics: max connection count 1 for (smtp:192.0.2.1) at Nov 22 01:08:31\n"
        "statistics: max message rate 20/60s for (smtp:2001:db8::/84) at Nov 22 01:08:31\n"
        "statistics: max recipient rate 21/60s for (smtp:192.0.2.1) at Nov 22 01:08:31\n"
        "statistics: max newtls rate 22/60s for (smtp:192.0.2.1) at Nov 22 01:08:31\n"
        "statistics: max auth rate 23/60s for (smtp:192.0.2.1) at Nov 22 01:08:31\n"
        "statistics: max cache size 4 at Nov 22 01:08:31\n");
    buffer_reset(&lines.text);
    peaks_report(&peaks, 60, take, &lines); /* it starts over */
    assert_int_equal(lines.text.length, 0);
    buffer_release(&lines.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};
    (void)setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
