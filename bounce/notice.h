/* bounce/notice - tell the postmaster of a session that went wrong: what smtpd or smtp heard and
 * said, as a message. Nothing waits for it, and what cannot be told now is told in the log only.
 * Runs in a task. Callers: bounce/clients. */
#ifndef BOUNCE_NOTICE_H
#define BOUNCE_NOTICE_H

#include "writer.h"

void bounce_notice_write(const struct bounce_writer *writer, struct span subject, struct span text,
                         struct arena *arena);

#endif
