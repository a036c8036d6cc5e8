/* smtpserver/settings - main.cf's settings in the words of lib/smtpsession.
 * Pure. Callers: smtpserver/server, tools/sendmail,
 * tests/lib/smtpsession. */
#ifndef SMTPSERVER_SETTINGS_H
#define SMTPSERVER_SETTINGS_H

#include "conf/smtpd.h"
#include "smtpsession/session.h"

/* What every session has, also one without a network (sendmail -bs): names, sizes, patience. Spans
 * point into conf. */
void smtpserver_settings_add_session(const struct conf_smtpd *conf,
                                     struct smtpsession_settings *settings);
/* False, and *error says what to mend, where a value has a form that the catalogue does not check.
 * Spans point into conf. */
MUST_USE bool smtpserver_settings_make(const struct conf_smtpd *conf, struct arena *arena,
                                       struct smtpsession_settings *settings,
                                       struct conf_error *error);

#endif
