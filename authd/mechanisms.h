/* authd/mechanisms - which SASL mechanisms are offered, and who may act as somebody else.
 * Callers: authd/server, authd/exchange, authd/clients, authd/dovecot_server. */
#ifndef AUTHD_MECHANISMS_H
#define AUTHD_MECHANISMS_H

#include "authd.h"

/* auth_mechanisms into authd->mechanisms; false: *bad_word is none. Those that need a database are
 * left out where there is none. */
MUST_USE bool mechanisms_parse(struct authd *authd, struct span *bad_word);
/* Is one offered that takes tokens? */
MUST_USE bool mechanisms_take_tokens(const struct authd *authd);
/* Of those that are offered, by its name. */
MUST_USE bool mechanisms_find(const struct authd *authd, struct span name,
                              enum sasl_mechanism *mechanism);
/* Is the -PLUS form of this SCRAM mechanism offered, too? */
MUST_USE bool mechanisms_have_plus(const struct authd *authd, enum sasl_mechanism mechanism);
/* enum auth_property of it. */
MUST_USE unsigned mechanisms_properties(enum sasl_mechanism mechanism);
/* auth_master_users may act as everybody, anybody as himself. */
MUST_USE bool mechanisms_may_act_as(const struct conf_authd *conf, struct span user,
                                    struct span wanted);

#endif
