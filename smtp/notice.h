/* smtp/notice - tell the postmaster of sessions in which a server did not understand us
 * (notify_classes). Callers: smtp/connection, smtp/process. */
#ifndef SMTP_NOTICE_H
#define SMTP_NOTICE_H

#include "connection.h"
#include "ipc/channel.h"

/* Takes over a channel to bounce, in place of the one before. */
void notice_attach(struct connection_context *context, int descriptor);
/* A piece of a command, up to its CR LF; and a reply. */
void notice_add_command(struct connection *connection, struct span piece);
void notice_add_reply(struct connection *connection, const struct smtp_reply *reply);
/* The connection ends. */
void notice_finish(struct connection *connection);

#endif
