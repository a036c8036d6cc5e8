/* conf/stsd - the settings of stsd, from catalogue/stsd.def. */
#ifndef CONF_STSD_H
#define CONF_STSD_H

#include "conf/part.h"

struct conf_stsd {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/stsd.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_stsd;

#endif
