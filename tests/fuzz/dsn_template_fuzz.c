/* tests/fuzz/dsn_template - a file of templates: taken, it can be written and read again and says
 * the same; refused, it names a line. */
#include "dsn/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static size_t line_count(struct span text)
{
    size_t count = 1;
    for (size_t i = 0; i < text.length; i++)
        count += text.bytes[i] == '\n';
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span input = span_of(bytes, length);
    struct dsn_templates templates, again;
    struct dsn_template_error error;
    struct buffer text;
    dsn_templates_default(&templates);
    if (dsn_templates_parse(input, &templates, &error) != PARSE_OK) {
        ASSERT(error.line > 0 && error.line <= line_count(input) && error.reason[0] != '\0');
        return 0;
    }
    buffer_init(&text, NULL, 1 << 20);
    dsn_templates_append(&templates, &text);
    ASSERT(buffer_ok(&text));
    dsn_templates_default(&again);
    /* Its own words may have made it longer than a file may be, or hold every mark we try. */
    if (dsn_templates_parse(buffer_span(&text), &again, &error) == PARSE_OK)
        for (size_t i = 0; i < DSN_KIND_COUNT; i++)
            ASSERT(span_equals(templates.of[i].subject, again.of[i].subject) &&
                   span_equals(templates.of[i].from, again.of[i].from));
    buffer_release(&text);
    return 0;
}
