/* conf/verify - the settings of verify, from catalogue/verify.def. */
#ifndef CONF_VERIFY_H
#define CONF_VERIFY_H

#include "conf/part.h"

struct conf_verify {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/verify.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_verify;

#endif
