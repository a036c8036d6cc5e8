/* smtpserver/tls - the part of main.cf that is about TLS, in the words of lib/tls and
 * lib/smtpsession. Interface: smtpserver_tls_create(), smtpserver_tls_use(). Callers:
 * smtpserver/server, tests/lib/smtpsession. */
#ifndef SMTPSERVER_TLS_H
#define SMTPSERVER_TLS_H

#include "conf/smtpd.h"
#include "smtpsession/session.h"

/* Before the sandbox closes. True with *server NULL where no TLS is wanted; false, and *error says
 * what to mend. service_name: of master.cf, whose sessions these are. */
MUST_USE bool smtpserver_tls_create(const struct conf_smtpd *conf, struct span service_name,
                                    struct tls_server **server, struct conf_error *error);
/* The settings live no longer than the server. */
void smtpserver_tls_use(const struct conf_smtpd *conf, struct tls_server *server,
                        struct smtpsession_settings *settings);

#endif
