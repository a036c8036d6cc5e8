/* tests/fuzz/main_cf_fuzz - the text of main.cf: read, edited, and read again. */
#include "conf/edit.h"
#include "conf/main_cf.h"

enum { FUZZ_ARENA_BYTES = 32 * 1024 * 1024, FUZZ_TEXT_MAX_BYTES = 16 * 1024 * 1024 };

/* A parameter that is set is found with that value afterwards, and no other one has changed. */
static void check_edit(struct span input, const struct conf_main *before, struct arena *arena)
{
    struct conf_edit edit = {.name = SPAN("name"), .line = SPAN("name = value")};
    struct conf_notices notices;
    struct conf_main after;
    struct buffer text;

    conf_notices_init(&notices, arena);
    buffer_init(&text, NULL, FUZZ_TEXT_MAX_BYTES);
    conf_edit_text(input, CONF_EDIT_MAIN, &edit, 1, &text);
    ASSERT(buffer_ok(&text));
    (void)!conf_main_parse(buffer_span(&text), SPAN("after"), arena, &after, &notices);
    const struct conf_entry *entry = conf_main_find(&after, edit.name);
    ASSERT(entry && span_equals(entry->value, SPAN("value")));
    ASSERT(after.entry_count == before->entry_count + !conf_main_find(before, edit.name));
    for (size_t i = 0; i < before->entry_count; i++) {
        const struct conf_entry *same = conf_main_find(&after, before->entries[i].name);
        ASSERT(same && (same == entry || span_equals(same->value, before->entries[i].value)));
    }
    buffer_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena arena;
    struct conf_notices notices;
    struct conf_main main;

    arena_init(&arena, FUZZ_ARENA_BYTES, 0);
    conf_notices_init(&notices, &arena);
    const bool is_ok =
        conf_main_parse(span_of(bytes, length), SPAN("main.cf"), &arena, &main, &notices);
    ASSERT(is_ok == (notices.error_count == 0));
    for (size_t i = 1; i < main.entry_count; i++)
        ASSERT(span_compare(main.entries[i - 1].name, main.entries[i].name) < 0);
    if (is_ok)
        check_edit(span_of(bytes, length), &main, &arena);
    arena_destroy(&arena);
    return 0;
}
