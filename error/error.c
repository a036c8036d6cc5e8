/* error - returns mail, or, as a service of the name "retry", puts it off. The next hop says why.
 * Opens nothing. Manual: man/error.8. */
#include "agent/status_filter.h"
#include "conf/error.h"
#include "nowhere.h"

static struct status_filter filter;

static bool prepare(struct service *service)
{
    const struct conf_error_settings *settings = service->settings;
    struct conf_error error;
    if (status_filter_open(&filter, "default_delivery_status_filter",
                           settings->default_delivery_status_filter, &service->log, &error))
        return true;
    service_say(service, "%s", error.text);
    return false;
}

static bool begin(struct service *service)
{
    const struct conf_error_settings *settings = service->settings;
    const bool is_retry = span_equals(span_from_string(service->name), SPAN("retry"));
    return nowhere_begin(service, is_retry ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT,
                         settings->soft_bounce, status_filter_change, &filter);
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
