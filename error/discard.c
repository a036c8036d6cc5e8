/* discard - says of all mail that it was delivered, and delivers none. Opens nothing.
 * Manual: man/discard.8. */
#include "conf/discard.h"
#include "nowhere.h"

static bool prepare(struct service *service)
{
    (void)nowhere_create(service);
    return true;
}

static bool begin(struct service *service)
{
    return nowhere_begin(service, OUTCOME_OK, false);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "discard",
        .part = &conf_part_discard,
        .prepare = prepare,
        .begin = begin,
        .on_peer = nowhere_on_peer,
        .drain = nowhere_drain,
    };
    return service_main(&definition);
}
