/* conf/limitd - the settings of limitd, from catalogue/limitd.def. */
#ifndef CONF_LIMITD_H
#define CONF_LIMITD_H

#include "conf/part.h"

struct conf_limitd {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/limitd.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_limitd;

#endif
