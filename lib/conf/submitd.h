/* conf/submitd - the settings of submitd: those of smtpd and, from catalogue/submitd.def, its own.
 */
#ifndef CONF_SUBMITD_H
#define CONF_SUBMITD_H

#include "conf/smtpd.h"

struct conf_submitd {
    struct conf_smtpd smtpd; /* first: what reads smtpd's settings reads these */
#include "conf/catalogue/fields.h"
#include "conf/catalogue/submitd.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_submitd;

#endif
