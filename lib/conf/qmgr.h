/* conf/qmgr - the settings of qmgr, from catalogue/qmgr.def. */
#ifndef CONF_QMGR_H
#define CONF_QMGR_H

#include "conf/part.h"

struct conf_qmgr {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/qmgr.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_qmgr;

#endif
