/* error - returns mail, or, as a service of the name "retry", puts it off. The next hop says why.
 * Opens nothing. Manual: man/error.8. */
#include "conf/error.h"
#include "nowhere.h"

static bool prepare(struct service *service)
{
    const struct conf_error_settings *settings = service->settings;
    return agent_service_prepare(service, nowhere_create(service), "default_delivery_status_filter",
                                 settings->default_delivery_status_filter);
}

static bool begin(struct service *service)
{
    const struct conf_error_settings *settings = service->settings;
    const bool is_retry = span_equals(span_from_string(service->name), SPAN("retry"));
    return nowhere_begin(service, is_retry ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT,
                         settings->soft_bounce);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "error",
        .part = &conf_part_error,
        .prepare = prepare,
        .begin = begin,
        .on_peer = nowhere_on_peer,
        .drain = nowhere_drain,
    };
    return service_main(&definition);
}
