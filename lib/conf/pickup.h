/* conf/pickup - the settings of pickup, from catalogue/pickup.def. */
#ifndef CONF_PICKUP_H
#define CONF_PICKUP_H

#include "conf/part.h"

struct conf_pickup {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/pickup.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_pickup;

#endif
