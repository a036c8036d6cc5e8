/* intake/duplicates - recipients of one message that are there already (duplicate_filter_limit).
 * Two are the same when all that the envelope says of them is, whatever the case. A message with
 * one recipient costs nothing. Callers: intake/intake. */
#ifndef INTAKE_DUPLICATES_H
#define INTAKE_DUPLICATES_H

#include "base/span.h"

struct intake_duplicates;

/* So many recipients are remembered; further ones are taken for new. NULL when memory is out. */
MUST_USE struct intake_duplicates *intake_duplicates_create(size_t limit);
void intake_duplicates_destroy(struct intake_duplicates **duplicates);
/* True when an equal record was there; else it is remembered. */
bool intake_duplicates_note(struct intake_duplicates *duplicates, struct span record);

#endif
