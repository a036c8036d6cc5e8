/* keyd/heirloom - keys and their certificates on the way from one keyd to the next. Computes only.
 * Callers: keyd/succession. */
#ifndef KEYD_HEIRLOOM_H
#define KEYD_HEIRLOOM_H

#include "key_set.h"

/* RECORDS of KEY_HEIRLOOM; what has no room is left out. */
void heirlooms_append(const struct key_set *set, struct buffer *records);
/* Adds what can be used. The chains have been initialized. */
void heirlooms_read(struct span records, struct tls_chains *chains);

#endif
