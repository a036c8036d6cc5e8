/* conf/smtpd - the settings of smtpd, from catalogue/smtpd.def. */
#ifndef CONF_SMTPD_H
#define CONF_SMTPD_H

#include "conf/part.h"

struct conf_smtpd {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/smtpd.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_smtpd;

#endif
