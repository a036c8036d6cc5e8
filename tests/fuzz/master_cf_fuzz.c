/* tests/fuzz/master_cf_fuzz - the text of master.cf: read, printed, and read again as the same. */
#include "conf/master_cf.h"
#include "conf/print.h"

enum { FUZZ_ARENA_BYTES = 32 * 1024 * 1024, FUZZ_TEXT_MAX_BYTES = 16 * 1024 * 1024 };

static void print(const struct conf_master *master, unsigned flags, struct buffer *text)
{
    for (size_t i = 0; i < master->service_count; i++)
        conf_print_service(&master->services[i], flags, NULL, text);
}

/* What is printed is a master.cf, and printing it once more changes nothing. */
static void check_printing(const struct conf_master *master, unsigned flags)
{
    struct arena arena;
    struct conf_notices notices;
    struct conf_master again;
    struct buffer first, second;

    arena_init(&arena, FUZZ_ARENA_BYTES, 0);
    conf_notices_init(&notices, &arena);
    buffer_init(&first, NULL, FUZZ_TEXT_MAX_BYTES);
    buffer_init(&second, NULL, FUZZ_TEXT_MAX_BYTES);
    print(master, flags, &first);
    ASSERT(buffer_ok(&first));
    ASSERT(conf_master_parse(buffer_span(&first), SPAN("again"), &arena, &again, &notices));
    ASSERT(again.service_count == master->service_count);
    print(&again, flags, &second);
    ASSERT(span_equals(buffer_span(&first), buffer_span(&second)));
    buffer_release(&first);
    buffer_release(&second);
    arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena arena;
    struct conf_notices notices;
    struct conf_master master;

    arena_init(&arena, FUZZ_ARENA_BYTES, 0);
    conf_notices_init(&notices, &arena);
    const bool is_ok =
        conf_master_parse(span_of(bytes, length), SPAN("master.cf"), &arena, &master, &notices);
    ASSERT(is_ok == (notices.error_count == 0));
    for (size_t i = 0; i < master.service_count; i++) {
        const struct conf_service *service = &master.services[i];
        ASSERT(service->option_count <= service->argument_count);
        ASSERT(service->override_count <= service->option_count);
    }
    check_printing(&master, 0);
    check_printing(&master, CONF_PRINT_FOLDED);
    arena_destroy(&arena);
    return 0;
}
