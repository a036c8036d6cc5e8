/* conf/authd - the settings of authd, from catalogue/authd.def. */
#ifndef CONF_AUTHD_H
#define CONF_AUTHD_H

#include "conf/part.h"

struct conf_authd {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/authd.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_authd;

#endif
