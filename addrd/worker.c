/* addrd/worker - see worker.h. */
#include "worker.h"

#include <stdlib.h>

#include "crew/nursery.h"

enum {
    WORKER_VALUE_MAX_BYTES = 57344, /* IPC_RECORDS_MAX */
    WORKER_REASON_MAX_BYTES = 2048, /* IPC_REASON_MAX */
    WORKER_NOTES_MAX_BYTES = 1500
};

struct worker {
    const struct addr_tables *numbered;
    struct table **tables; /* by number; NULL: not opened yet */
    struct buffer notes;   /* of the present look-up */
};

/* What is odd in a table's text goes back with the answer of the look-up that read it, up to what
 * fits; the dispatcher has the log. */
static void note_warning(void *context, struct span text)
{
    struct worker *worker = context;
    if (worker->notes.length + text.length + 2 > WORKER_NOTES_MAX_BYTES)
        return;
    if (worker->notes.length)
        buffer_append_string(&worker->notes, "; ");
    buffer_append_span(&worker->notes, text);
}

static enum table_result look_up(struct worker *worker, const struct ipc_table_lookup *question,
                                 struct buffer *value, struct buffer *reason)
{
    const struct table_options options = {
        .flags = TABLE_MAY_BLOCK, .warn = note_warning, .warn_context = worker};
    const uint32_t number = question->table;

    if (number >= worker->numbered->count) {
        buffer_append_string(reason, "no table of that number");
        return TABLE_ERROR;
    }
    if (!worker->tables[number])
        worker->tables[number] =
            table_open(table_name(worker->numbered->all[number]), &options, reason);
    if (!worker->tables[number])
        return TABLE_ERROR;
    const enum table_result result = table_lookup(worker->tables[number], question->key, value);
    if (result == TABLE_ERROR)
        buffer_append_span(reason, table_error(worker->tables[number]));
    else
        buffer_append_span(reason, buffer_span(&worker->notes));
    return result;
}

static void answer(void *context, struct ipc_channel *channel, const struct ipc_delivery *delivery)
{
    struct worker *worker = context;
    struct buffer value;
    struct buffer reason;

    buffer_init(&value, NULL, WORKER_VALUE_MAX_BYTES);
    buffer_init(&reason, NULL, WORKER_REASON_MAX_BYTES);
    buffer_init(&worker->notes, NULL, WORKER_NOTES_MAX_BYTES);
    const enum table_result result = look_up(worker, delivery->message, &value, &reason);
    const struct ipc_table_lookup_reply reply = {
        .status = buffer_ok(&value) ? (uint32_t)result : TABLE_ERROR,
        .value = buffer_ok(&value) ? buffer_span(&value) : span_empty(),
        .reason = buffer_span(&reason)};
    (void)ipc_channel_reply(channel, delivery->id, IPC_TABLE_LOOKUP_REPLY, &reply);
    buffer_release(&worker->notes);
    buffer_release(&value);
    buffer_release(&reason);
}

static bool warm_up(struct nursery_plan *plan)
{
    struct worker *worker = plan->context;
    worker->tables = calloc(worker->numbered->count + 1, sizeof(struct table *));
    nursery_warm_up_name_service();
    return worker->tables != NULL;
}

int worker_start_nursery(const struct worker_setup *setup)
{
    static const struct ipc_permission questions[] = {
        {IPC_TABLE_LOOKUP, IPC_ROLE_BIT(IPC_ROLE_ADDRD)}, {0, 0}};
    struct worker worker = {.numbered = setup->tables};
    const struct nursery_plan plan = {.program = "addrd",
                                      .dispatcher = IPC_ROLE_ADDRD,
                                      .questions = questions,
                                      .promises = SANDBOX_RECEIVE_FDS | SANDBOX_READ_FILES |
                                                  SANDBOX_NSS | SANDBOX_THREADS,
                                      .paths = setup->paths,
                                      .path_count = setup->path_count,
                                      .uid = setup->uid,
                                      .gid = setup->gid,
                                      .limit_ms = setup->lookup_limit_ms,
                                      .warm_up = warm_up,
                                      .answer = answer,
                                      .context = &worker};
    return nursery_start(&plan);
}
