/* conf/dnsd - the settings of dnsd, from catalogue/dnsd.def. */
#ifndef CONF_DNSD_H
#define CONF_DNSD_H

#include "conf/part.h"

struct conf_dnsd {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/dnsd.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_dnsd;

#endif
