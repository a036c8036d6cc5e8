/* conf/discard - the settings of discard, from catalogue/discard.def. */
#ifndef CONF_DISCARD_H
#define CONF_DISCARD_H

#include "conf/part.h"

struct conf_discard {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/discard.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_discard;

#endif
