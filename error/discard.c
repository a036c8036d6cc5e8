/* discard - says of all mail that it was delivered, and delivers none. Opens nothing.
 * Manual: man/discard.8. */
#include "conf/discard.h"
#include "nowhere.h"

static bool begin(struct service *service)
{
    return nowhere_begin(service, OUTCOME_OK, false, NULL, NULL);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "discard",
        .part = &conf_part_discard,
        .begin = begin,
        .on_peer = nowhere_on_peer,
        .drain = nowhere_drain,
    };
    return service_main(&definition);
}
