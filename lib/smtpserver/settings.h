/* smtpserver/settings - main.cf's settings in the words of lib/smtpsession.
 * Interface: smtpserver_settings_make(). Pure. Callers: smtpserver/server, tests/lib/smtpsession.
 */
#ifndef SMTPSERVER_SETTINGS_H
#define SMTPSERVER_SETTINGS_H

#include "conf/smtpd.h"
#include "smtpsession/session.h"

/* False, and *error says what to mend, where a value has a form that the catalogue does not check.
 * Spans point into conf. */
MUST_USE bool smtpserver_settings_make(const struct conf_smtpd *conf, struct arena *arena,
                                       struct smtpsession_settings *settings,
                                       struct conf_error *error);

#endif
