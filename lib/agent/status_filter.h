/* agent/status_filter - other status codes and texts for results of deliveries, from tables:
 * default_delivery_status_filter and its kin.
 * Interface: status_filter_open(), status_filter_change(). Callers: local, virtual, pipe, error,
 * smtp. */
#ifndef AGENT_STATUS_FILTER_H
#define AGENT_STATUS_FILTER_H

#include "base/outcome.h"
#include "maillog/log.h"
#include "table/held.h"

struct status_filter {
    const char *parameter; /* for complaints; of the program's */
    struct table_list *tables;
    struct maillog *log;
};

/* Before the sandbox. False with the reason in *error. */
MUST_USE bool status_filter_open(struct status_filter *filter, const char *parameter,
                                 struct span names, struct maillog *log, struct conf_error *error);
/* The tables are asked for "X.Y.Z text", and what they have comes in its place: a code and a text,
 * or the code alone. No success becomes a failure or the other way round; an answer that is of no
 * use is logged, and the outcome stays as it is. A new reason is the arena's. context: the filter,
 * as agent_settings.change_outcome has it. */
void status_filter_change(void *context, struct outcome *outcome, struct arena *arena);

#endif
