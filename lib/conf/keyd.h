/* conf/keyd - the settings of keyd, from catalogue/keyd.def. */
#ifndef CONF_KEYD_H
#define CONF_KEYD_H

#include "conf/part.h"

struct conf_keyd {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/keyd.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_keyd;

#endif
