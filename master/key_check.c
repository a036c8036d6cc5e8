/* master/key_check - see key_check.h. */
#include "key_check.h"

#include <time.h>

#include "tls/key_files.h"

enum { SETTINGS_MAX_BYTES = 8 << 20 };

static void note(void *context, const char *text)
{
    conf_notice_add(context, CONF_NOTICE_WARNING, "%s", text);
}

static bool check_service(void *context, const struct tls_key_service *service)
{
    struct tls_chains chains;
    tls_chains_init(&chains, service->settings.prefix, time(NULL), note, context);
    (void)!tls_key_files_read(&service->settings, &chains); /* what is wrong is noted */
    tls_chains_clear(&chains);
    return true;
}

void key_check(const struct plan *plan, struct conf_notices *notices)
{
    struct conf_keyd conf;
    struct arena arena;
    arena_init(&arena, SETTINGS_MAX_BYTES, 0);
    if (conf_instance_load(&plan->instance, NULL, &conf_part_keyd, &arena, &conf, notices))
        tls_key_services_each(&conf, check_service, notices);
    arena_destroy(&arena);
}
