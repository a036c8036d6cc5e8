/* conf/local - the settings of local, from catalogue/local.def. */
#ifndef CONF_LOCAL_H
#define CONF_LOCAL_H

#include "conf/part.h"

struct conf_local {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/local.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_local;

#endif
