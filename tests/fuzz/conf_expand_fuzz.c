/* tests/fuzz/conf_expand_fuzz - values with references, in a main.cf of the input's own: expansion
 * ends, within its limits, and the check of the whole says the same twice. */
#include "conf/check.h"

enum { FUZZ_ARENA_BYTES = 64 * 1024 * 1024, FUZZ_INPUT_MAX_BYTES = 4096, FUZZ_MAX_ENTRIES = 40 };

static void count_reference(void *context, struct span name)
{
    ASSERT(!span_is_empty(name));
    (*(size_t *)context)++;
}

static void expand_all(const struct conf_instance *instance)
{
    for (size_t i = 0; i < instance->main.entry_count; i++) {
        struct buffer value;
        struct conf_error error = {""};
        size_t count = 0;

        buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
        conf_for_each_reference(instance->main.entries[i].value, count_reference, &count);
        const bool is_ok =
            conf_instance_value(instance, NULL, instance->main.entries[i].name, &value, &error);
        ASSERT(is_ok ? buffer_ok(&value) : error.text[0] != '\0');
        buffer_release(&value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span input = span_first(span_of(bytes, length), FUZZ_INPUT_MAX_BYTES);
    const struct conf_host host = {.hostname = SPAN("mx.example.org")};
    struct arena arena;
    struct conf_notices notices, again;
    struct conf_instance instance;

    arena_init(&arena, FUZZ_ARENA_BYTES, 0);
    conf_notices_init(&notices, &arena);
    (void)!conf_instance_parse(input, span_empty(), &host, &arena, &instance, &notices);
    if (instance.main.entry_count <= FUZZ_MAX_ENTRIES) {
        expand_all(&instance);
        conf_notices_init(&notices, &arena);
        conf_notices_init(&again, &arena);
        const bool is_ok = conf_check(&instance, NULL, &notices);
        ASSERT(is_ok == conf_check(&instance, NULL, &again));
        ASSERT(notices.error_count == again.error_count);
        ASSERT(notices.warning_count == again.warning_count);
    }
    arena_destroy(&arena);
    return 0;
}
