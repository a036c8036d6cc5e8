/* conf/master - the settings of master, from catalogue/master.def. */
#ifndef CONF_MASTER_H
#define CONF_MASTER_H

#include "conf/part.h"

struct conf_master_settings {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/master.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_master;

#endif
