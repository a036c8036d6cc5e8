/* conf/addrd - the settings of addrd, from catalogue/addrd.def. */
#ifndef CONF_ADDRD_H
#define CONF_ADDRD_H

#include "conf/part.h"

struct conf_addrd {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/addrd.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_addrd;

#endif
