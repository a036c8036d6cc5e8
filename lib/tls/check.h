/* tls/check - is what a setting says of TLS something that TLS has? Said before the start.
 * Interface: tls_check_setting(), made for conf_check(); tls_check_services(). No libssl. Callers:
 * master. */
#ifndef TLS_CHECK_H
#define TLS_CHECK_H

#include "conf/instance.h"

void tls_check_setting(struct span name, struct span value, struct span origin,
                       struct conf_notices *notices);
/* Services of smtpd and submitd that demand TLS and have no certificate to show serve nobody. */
void tls_check_services(const struct conf_instance *instance, struct conf_notices *notices);

#endif
