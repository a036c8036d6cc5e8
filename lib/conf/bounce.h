/* conf/bounce - the settings of bounce, from catalogue/bounce.def. */
#ifndef CONF_BOUNCE_H
#define CONF_BOUNCE_H

#include "conf/part.h"

struct conf_bounce {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/bounce.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_bounce;

#endif
