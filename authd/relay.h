/* authd/relay - passwords for other servers: where smtp and lmtp authenticate.
 * Each of their channels gets a process of its own, which looks the password up and runs the
 * exchange; so an odd server can disturb nothing but that, and hears nothing of our own users'
 * passwords. These processes are forked by a keeper, which is forked before the sandbox closes and
 * stays root, where authd was: password files may be root's. Each opens its tables, becomes authd's
 * user and serves. One whose table has changed ends; its client's next channel leads to another.
 * Interface: relay_start(), relay_add(). Callers: authd/server. Design: man/authd.8. */
#ifndef AUTHD_RELAY_H
#define AUTHD_RELAY_H

#include "authd.h"

/* Before the sandbox: starts the keeper, where there are passwords at all. False after
 * service_say(). */
MUST_USE bool relay_start(struct authd *authd);
/* In the sandbox: takes the keeper's channel into use. */
MUST_USE bool relay_begin(struct authd *authd);
/* Hands the channel end of an smtp or lmtp over. One that has had a process before has another in
 * its place: never two. */
void relay_add(struct authd *authd, const struct service_peer *peer, int descriptor);

#endif
