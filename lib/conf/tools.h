/* conf/tools - the settings of tools, from catalogue/tools.def. */
#ifndef CONF_TOOLS_H
#define CONF_TOOLS_H

#include "conf/part.h"

struct conf_tools {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/tools.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_tools;

#endif
