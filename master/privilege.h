/* master/privilege - what master, as root, gives away of it. Callers: master/master. */
#ifndef MASTER_PRIVILEGE_H
#define MASTER_PRIVILEGE_H

#include "base/compiler.h"

/* Keeps the capabilities that master and its children need (binding, becoming others, chroot,
 * signalling, looking after directories); the rest is gone for all of them. Nothing for a user who
 * is not root. -1 and errno on failure. */
MUST_USE int privilege_reduce(void);
/* As many descriptors as the limits of the system allow. */
void privilege_raise_limits(void);

#endif
