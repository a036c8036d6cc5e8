/* conf/smtp - the settings of smtp, from catalogue/smtp.def. */
#ifndef CONF_SMTP_H
#define CONF_SMTP_H

#include "conf/part.h"

struct conf_smtp {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/smtp.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_smtp;

#endif
