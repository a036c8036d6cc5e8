/* smtp/generic - other names for addresses in mail that leaves: smtp_generic_maps, generic(5).
 * The envelope's addresses and those of the header are put to addrd in one go; the header as it
 * shall leave is made before anything is sent. Interface: generic_apply(). For tasks.
 * Callers: smtp/delivery. */
#ifndef SMTP_GENERIC_H
#define SMTP_GENERIC_H

#include "delivery.h"

/* A longer header leaves as it is: nobody's mail waits for ever for its sake. */
enum { GENERIC_HEADER_MAX_BYTES = 1 << 20 };

/* Fills delivery->reverse_path, ->header and the recipients' outward addresses. False, with
 * *failure, when it cannot be told now. */
MUST_USE bool generic_apply(struct delivery *delivery, struct failure *failure);

#endif
