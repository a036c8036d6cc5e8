/* smtp/mirror - the settings of lmtp as the client's code knows them: lmtp_NAME is smtp_NAME.
 * Interface: mirror_settings(). Pure. Callers: smtp/lmtp. */
#ifndef SMTP_MIRROR_H
#define SMTP_MIRROR_H

#include "conf/lmtp.h"
#include "conf/smtp.h"

/* False when the catalogue of lmtp lacks a setting that smtp has, which a test looks for. */
MUST_USE bool mirror_settings(const struct conf_lmtp *from, struct conf_smtp *settings);

#endif
