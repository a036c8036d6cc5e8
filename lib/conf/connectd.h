/* conf/connectd - the settings of connectd, from catalogue/connectd.def. */
#ifndef CONF_CONNECTD_H
#define CONF_CONNECTD_H

#include "conf/part.h"

struct conf_connectd {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/connectd.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_connectd;

#endif
