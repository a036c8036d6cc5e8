/* conf/logd - the settings of logd, from catalogue/logd.def. */
#ifndef CONF_LOGD_H
#define CONF_LOGD_H

#include "conf/part.h"

struct conf_logd {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/logd.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_logd;

#endif
