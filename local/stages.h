/* local/stages - the way of a recipient through local's processes: is it an alias, in which table;
 * then the worker that reads that table, or the worker that is the user; and what these ask on the
 * way: commands to be run, mail to be made.
 * What was run or made for a recipient is remembered until the recipient ends, so that a worker
 * that dies in between does not have it done twice.
 * Callers: local/local. In the dispatcher. */
#ifndef LOCAL_STAGES_H
#define LOCAL_STAGES_H

#include "dispatch.h"
#include "forwarder.h"

struct stages {
    struct loop *loop;
    const struct conf_local *settings;
    struct maillog *log;
    struct dispatch *dispatch;
    struct dispatch *commands; /* NULL: none are run */
    struct forwarder forwarder;
    size_t table_count; /* in alias_maps */
    struct list parts;  /* under way */
    struct list queue;  /* commands that wait */
    size_t run_count;
    struct loop_timer run_timer;
};

void stages_init(struct stages *stages, struct loop *loop, const struct conf_local *settings,
                 struct maillog *log);

/* For dispatch_settings, with the stages as context. */
void stages_route(struct agent_recipient *recipient, void *stages);
void stages_on_result(struct agent_recipient *recipient, const struct ipc_recipient_result *result,
                      void *stages);
void stages_on_request(struct agent_recipient *recipient, struct span key,
                       struct ipc_channel *channel, const struct ipc_delivery *request,
                       void *stages);
bool stages_is_waiting(const struct agent_recipient *recipient, void *stages);
void stages_on_worker_gone(const struct ipc_channel *channel, void *stages);

#endif
