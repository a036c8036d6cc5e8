/* conf/fetchd - the settings of fetchd, from catalogue/fetchd.def. */
#ifndef CONF_FETCHD_H
#define CONF_FETCHD_H

#include "conf/part.h"

struct conf_fetchd {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/fetchd.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_fetchd;

#endif
