/* conf/lmtp - the settings of lmtp, from catalogue/lmtp.def. */
#ifndef CONF_LMTP_H
#define CONF_LMTP_H

#include "conf/part.h"

struct conf_lmtp {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/lmtp.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_lmtp;

#endif
