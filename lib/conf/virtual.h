/* conf/virtual - the settings of virtual, from catalogue/virtual.def. */
#ifndef CONF_VIRTUAL_H
#define CONF_VIRTUAL_H

#include "conf/part.h"

struct conf_virtual {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/virtual.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_virtual;

#endif
