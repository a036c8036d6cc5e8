/* conf/reportd - the settings of reportd, from catalogue/reportd.def. */
#ifndef CONF_REPORTD_H
#define CONF_REPORTD_H

#include "conf/part.h"

struct conf_reportd {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/reportd.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_reportd;

#endif
