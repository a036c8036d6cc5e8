/* local/stages - see stages.h. */
#include "stages.h"

#include <fcntl.h>
#include <stdlib.h>

#include "attributes.h"
#include "maillog/event.h"
#include "system/file.h"
#include "system/task.h"
#include "table/names.h"

enum {
    ASK_TIMEOUT_MS = 60000,
    ASK_TRIES_MAX = 2,
    ADDRESSES_MAX_BYTES = 10 << 20, /* of the longest list that is read, as records */
    RECORD_MAX_BYTES = 32768,
    RUN_CHECK_MS = 2000,
    RUNS_PER_USER_MAX = 2 /* as Postfix's local_destination_concurrency_limit */
};

/* One recipient. In its message's arena. */
struct stage {
    struct stages *stages;
    struct agent_recipient *recipient;
    struct span user_key;
    struct span alias_key;
    size_t table; /* that is asked now */
    unsigned ask_count;
    bool is_self_first; /* an alias that stands for the user, too: the mailbox comes first */
    bool has_others;    /* then, whether it stands for more than that */
    bool has_self_result;
    struct ipc_recipient_result self_result;
    struct list parts;
    size_t running_count;
    bool has_ending; /* waits for parts that run */
    struct ipc_recipient_result ending;
};

enum part_state { PART_COLLECTING, PART_RUNNING, PART_DONE };

/* A command, or the forwarding. In the message's arena, but for the buffer. */
struct part {
    struct list_link link;       /* in the stage */
    struct list_link stage_link; /* in stages->parts while it runs */
    struct list_link queue_link; /* in stages->queue: a command that waits for its turn */
    struct stage *stage;
    enum part_state state;
    bool is_forward;
    bool is_after_self; /* of an alias whose user has had its part */
    bool is_all;
    struct span key;  /* of the user, for commands */
    struct span what; /* of a command, as the worker names it */
    struct outcome outcome;
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    struct ipc_channel *waiter; /* the worker's; NULL: it is gone */
    uint32_t waiter_id;
    const struct ipc_channel *collector; /* whose addresses these are; only compared */
    struct ipc_channel *runner;
    int64_t deadline_ms; /* for it */
    struct buffer addresses;
    struct forward_request request;
};

/* ---- the end ---- */

static void keep_result(struct stage *stage, const struct ipc_recipient_result *result,
                        struct ipc_recipient_result *kept)
{
    *kept = *result;
    if (!ipc_copy_spans(IPC_RECIPIENT_RESULT, kept, &stage->recipient->message->arena))
        *kept =
            (struct ipc_recipient_result){.outcome = outcome_temporary(451, 3, 0, "out of memory")};
}

static void log_note(const struct stage *stage, struct span note)
{
    const struct log_context context = {.log = stage->stages->log,
                                        .queue_id = stage->recipient->message->deliver.queue_id};
    if (!span_is_empty(note))
        log_event(&context, LOG_LEVEL_WARNING, "local.note",
                  log_text("to", stage->recipient->recipient), log_text("text", note));
}

/* A worker that died after its mail was made cannot say so. */
static bool has_been_forwarded(const struct stage *stage, struct ipc_recipient_result *result)
{
    LIST_FOR_EACH (&stage->parts, link) {
        const struct part *part = CONTAINER_OF(link, struct part, link);
        if (!part->is_forward || !part->is_all || part->state != PART_DONE ||
            !outcome_is_ok(&part->outcome))
            continue;
        *result = (struct ipc_recipient_result){.outcome = part->outcome, .is_expanded = true};
        return true;
    }
    return false;
}

static void release_parts(struct stage *stage)
{
    LIST_FOR_EACH (&stage->parts, link)
        buffer_release(&CONTAINER_OF(link, struct part, link)->addresses);
}

static void end_stage(struct stage *stage)
{
    struct ipc_recipient_result result = stage->ending;
    if (result.outcome.kind == OUTCOME_TEMPORARY && span_is_empty(result.transport))
        (void)has_been_forwarded(stage, &result);
    release_parts(stage);
    agent_finish_result(stage->recipient, &result);
}

static void finish(struct stage *stage, const struct ipc_recipient_result *result)
{
    log_note(stage, result->note);
    keep_result(stage, result, &stage->ending);
    stage->ending.note = span_empty();
    stage->ending.is_declined = false;
    stage->has_ending = true;
    if (stage->running_count == 0)
        end_stage(stage);
}

static void finish_with(struct stage *stage, struct outcome outcome)
{
    const struct ipc_recipient_result result = {.outcome = outcome};
    finish(stage, &result);
}

/* ---- which worker ---- */

static void ask_next(struct stage *stage);

static void send_to_user(struct stage *stage)
{
    /* Beside an alias it comes again with it, when that has to wait. */
    dispatch_send(stage->stages->dispatch, stage->recipient, stage->user_key, stage->is_self_first);
}

static void on_asked(enum ipc_call_result result, void *reply, void *context)
{
    struct stage *stage = context;
    const struct ipc_alias_ask_reply *answer = reply;
    if ((result == IPC_CALL_CLOSED || result == IPC_CALL_TIMED_OUT) &&
        stage->ask_count < ASK_TRIES_MAX) {
        ask_next(stage);
    } else if (result != IPC_CALL_OK) {
        finish_with(stage, outcome_temporary(451, 3, 0, "alias database unavailable"));
    } else if (!outcome_is_ok(&answer->outcome)) {
        finish_with(stage, answer->outcome);
    } else if (!answer->is_found) {
        stage->table++;
        stage->ask_count = 0;
        ask_next(stage);
    } else if (answer->has_self) {
        stage->is_self_first = true;
        stage->has_others = answer->has_others;
        send_to_user(stage);
    } else {
        dispatch_send(stage->stages->dispatch, stage->recipient, stage->alias_key, false);
    }
}

static void ask_next(struct stage *stage)
{
    struct stages *stages = stage->stages;
    if (stage->table >= stages->table_count) {
        send_to_user(stage);
        return;
    }
    const struct ipc_alias_ask question = {.recipient = stage->recipient->recipient};
    stage->alias_key = arena_format(&stage->recipient->message->arena, "a%zu", stage->table);
    stage->ask_count++;
    if (!stage->alias_key.bytes ||
        !dispatch_ask(stages->dispatch, stage->alias_key, IPC_ALIAS_ASK, &question,
                      IPC_ALIAS_ASK_REPLY, clock_deadline_after(ASK_TIMEOUT_MS), on_asked, stage))
        finish_with(stage, outcome_temporary(451, 3, 0, "alias database unavailable"));
}

/* "u" and the user name: the local part in lower case, without its extension. */
static bool make_user_key(struct stage *stage)
{
    struct arena *arena = &stage->recipient->message->arena;
    struct attributes attributes;
    if (!attributes_init(&attributes, stage->recipient, stage->stages->settings, arena))
        return false;
    stage->user_key = arena_format(arena, "u%.*s", SPAN_PRINTF(attributes.user));
    return stage->user_key.bytes && stage->user_key.length <= DISPATCH_KEY_MAX_BYTES;
}

static void finish_unknown(struct stage *stage)
{
    const struct span recipient = stage->recipient->recipient;
    struct outcome outcome = outcome_permanent(550, 1, 1, "");
    outcome.reason =
        arena_format(&stage->recipient->message->arena, "unknown user: \"%.*s\"",
                     SPAN_PRINTF(span_first(recipient, span_find_last_byte(recipient, '@'))));
    finish_with(stage,
                outcome.reason.bytes ? outcome : outcome_temporary(451, 3, 0, "out of memory"));
}

void stages_route(struct agent_recipient *recipient, void *context)
{
    struct stage *stage = arena_alloc(&recipient->message->arena, sizeof(*stage));
    if (!stage) {
        agent_finish(recipient, outcome_temporary(451, 3, 0, "out of memory"));
        return;
    }
    *stage = (struct stage){.stages = context, .recipient = recipient};
    list_init(&stage->parts);
    recipient->context = stage;
    if (make_user_key(stage))
        ask_next(stage);
    else
        finish_unknown(stage);
}

/* Of root, who has no mailbox here: who stands beside it in the alias has the mail, which would
 * wait for ever otherwise. */
static void pass_over_self(struct stage *stage, const struct ipc_recipient_result *result)
{
    const struct ipc_recipient_result passed = {.outcome = outcome_ok()};
    log_note(stage, arena_format(&stage->recipient->message->arena, "%.*s; this one leaves it out",
                                 SPAN_PRINTF(result->outcome.reason)));
    keep_result(stage, &passed, &stage->self_result);
}

/* The user's part of an alias is over; what the alias has besides comes now. */
static bool go_on_with_alias(struct stage *stage, const struct ipc_recipient_result *result)
{
    const bool is_passed_over = result->is_declined && stage->has_others;
    if (!stage->is_self_first || stage->has_self_result)
        return false;
    if (result->outcome.kind == OUTCOME_TEMPORARY && span_is_empty(result->transport) &&
        !is_passed_over)
        return false;
    log_note(stage, result->note);
    if (is_passed_over)
        pass_over_self(stage, result);
    else
        keep_result(stage, result, &stage->self_result);
    stage->self_result.note = span_empty();
    stage->has_self_result = true;
    dispatch_send(stage->stages->dispatch, stage->recipient, stage->alias_key, false);
    return true;
}

void stages_on_result(struct agent_recipient *recipient, const struct ipc_recipient_result *result,
                      void *context)
{
    struct stage *stage = recipient->context;
    (void)context;
    if (go_on_with_alias(stage, result))
        return;
    /* Both have to be well; another transport has the last word on the user's. */
    if (stage->has_self_result && outcome_is_ok(&result->outcome) &&
        (!span_is_empty(stage->self_result.transport) ||
         !outcome_is_ok(&stage->self_result.outcome))) {
        const struct ipc_recipient_result self = stage->self_result;
        finish(stage, &self);
    } else {
        finish(stage, result);
    }
}

/* ---- parts ---- */

/* The user's part of an alias and what the alias has besides each make a message. */
static struct part *find_part(const struct stage *stage, bool is_forward, struct span what)
{
    LIST_FOR_EACH (&stage->parts, link) {
        struct part *part = CONTAINER_OF(link, struct part, link);
        if (part->is_forward == is_forward && part->is_after_self == stage->has_self_result &&
            span_equals(part->what, what))
            return part;
    }
    return NULL;
}

static struct part *make_part(struct stage *stage, bool is_forward, struct span what)
{
    struct arena *arena = &stage->recipient->message->arena;
    struct part *part = arena_alloc(arena, sizeof(*part));
    if (!part)
        return NULL;
    *part = (struct part){.stage = stage,
                          .is_forward = is_forward,
                          .is_after_self = stage->has_self_result,
                          .what = arena_copy(arena, what)};
    if (!part->what.bytes)
        return NULL;
    buffer_init(&part->addresses, NULL, ADDRESSES_MAX_BYTES);
    list_append(&stage->parts, &part->link);
    return part;
}

static void answer(struct part *part)
{
    if (!part->waiter)
        return;
    if (part->is_forward) {
        const struct ipc_forward_reply reply = {.outcome = part->outcome,
                                                .queue_id = span_from_string(part->queue_id)};
        (void)ipc_channel_reply(part->waiter, part->waiter_id, IPC_FORWARD_REPLY, &reply);
    } else {
        const struct ipc_run_reply reply = {.outcome = part->outcome};
        (void)ipc_channel_reply(part->waiter, part->waiter_id, IPC_RUN_REPLY, &reply);
    }
    part->waiter = NULL;
}

static void start_part(struct part *part)
{
    part->state = PART_RUNNING;
    part->stage->running_count++;
    list_append(&part->stage->stages->parts, &part->stage_link);
}

static void end_part(struct part *part, struct outcome outcome)
{
    struct stage *stage = part->stage;
    const struct span reason = arena_copy(&stage->recipient->message->arena, outcome.reason);
    part->outcome = outcome;
    part->outcome.reason = reason.bytes ? reason : SPAN("out of memory");
    part->state = PART_DONE;
    list_remove(&stage->stages->parts, &part->stage_link);
    stage->running_count--;
    answer(part);
    if (stage->has_ending && stage->running_count == 0)
        end_stage(stage);
}

bool stages_is_waiting(const struct agent_recipient *recipient, void *context)
{
    const struct stage *stage = recipient->context;
    (void)context;
    return stage->running_count > 0;
}

void stages_on_worker_gone(const struct ipc_channel *channel, void *context)
{
    struct stages *stages = context;
    LIST_FOR_EACH (&stages->parts, link) {
        struct part *part = CONTAINER_OF(link, struct part, stage_link);
        if (part->waiter == channel)
            part->waiter = NULL;
    }
}

/* ---- commands ---- */

static void start_waiting_runs(struct stages *stages);

static void end_run(struct part *part, struct outcome outcome)
{
    struct stages *stages = part->stage->stages;
    ipc_channel_destroy(&part->runner);
    stages->run_count--;
    end_part(part, outcome);
    start_waiting_runs(stages);
}

static void on_runner_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    (void)channel;
    (void)reason;
    end_run(context, outcome_temporary(451, 3, 0, "the command's process ended early"));
}

static void on_runner_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                              void *context)
{
    struct part *part = context;
    struct ipc_recipient_result one;
    const struct ipc_deliver_result *result = delivery->message;
    struct span rest;
    (void)channel;
    if (delivery->type != IPC_DELIVER_RESULT)
        return;
    rest = result->results;
    if (ipc_records_next(&rest, IPC_RECIPIENT_RESULT, &one) != PARSE_OK)
        return;
    if (result->is_corrupt)
        part->stage->recipient->message->is_corrupt = true;
    end_run(part, one.outcome);
}

static const struct ipc_permission runner_permissions[] = {
    {IPC_DELIVER_RESULT, IPC_ROLE_BIT(IPC_ROLE_WORKER)},
    {IPC_DELIVER_CAPACITY, IPC_ROLE_BIT(IPC_ROLE_WORKER)},
    {0, 0}};
static const struct ipc_channel_handlers runner_handlers = {on_runner_message, on_runner_closed,
                                                            runner_permissions};

/* The runner gets the message and the name of the command, and finds the rest out itself. */
static bool send_to_runner(struct part *part)
{
    const struct agent_recipient *recipient = part->stage->recipient;
    const struct ipc_deliver_recipient record = {.index = recipient->index,
                                                 .recipient = recipient->recipient,
                                                 .original = recipient->original,
                                                 .mailbox = part->what};
    struct ipc_deliver deliver = recipient->message->deliver;
    struct buffer records;
    bool is_sent = false;
    buffer_init(&records, NULL, RECORD_MAX_BYTES);
    ipc_records_append(IPC_DELIVER_RECIPIENT, &record, &records);
    deliver.content = fcntl(recipient->message->content.descriptor, F_DUPFD_CLOEXEC, 0);
    deliver.recipients = buffer_span(&records);
    if (deliver.content >= 0 && buffer_ok(&records))
        is_sent = ipc_channel_send(part->runner, IPC_DELIVER, &deliver);
    else
        file_close(deliver.content);
    buffer_release(&records);
    return is_sent;
}

static void start_run(struct part *part)
{
    struct stages *stages = part->stage->stages;
    stages->run_count++;
    part->deadline_ms = clock_deadline_after(stages->settings->daemon_timeout_ms +
                                             stages->settings->command_time_limit_ms);
    part->runner = dispatch_hire(stages->commands, part->key, &runner_handlers, part);
    if (!part->runner || !send_to_runner(part))
        end_run(part, outcome_temporary(451, 3, 0, "cannot start a process for the command"));
}

static struct part *find_hanging(const struct stages *stages, int64_t now_ms)
{
    LIST_FOR_EACH (&stages->parts, link) {
        struct part *part = CONTAINER_OF(link, struct part, stage_link);
        if (part->runner && part->deadline_ms <= now_ms)
            return part;
    }
    return NULL;
}

/* They end commands that take too long, unless their user has stopped them. */
static void end_hanging_runs(void *context)
{
    struct stages *stages = context;
    const int64_t now_ms = clock_monotonic_ms();
    for (struct part *part; (part = find_hanging(stages, now_ms));)
        end_run(part, outcome_temporary(451, 3, 0, "the command's process hangs"));
    loop_timer_set(&stages->run_timer, clock_deadline_after(RUN_CHECK_MS));
}

/* Processes of commands are bounded, in all and for each user, as workers are. */
static bool may_run(const struct stages *stages, const struct part *wanted)
{
    size_t count = 0;
    LIST_FOR_EACH (&stages->parts, link) {
        const struct part *part = CONTAINER_OF(link, struct part, stage_link);
        count += part->runner && span_equals(part->key, wanted->key);
    }
    return stages->run_count < stages->settings->local_client_limit && count < RUNS_PER_USER_MAX;
}

/* The first that may; one that ends calls again. */
static void start_waiting_runs(struct stages *stages)
{
    LIST_FOR_EACH (&stages->queue, link) {
        struct part *part = CONTAINER_OF(link, struct part, queue_link);
        if (!may_run(stages, part))
            continue;
        list_remove(&stages->queue, link);
        start_run(part);
        return;
    }
}

static void queue_run(struct part *part, struct span key)
{
    struct stages *stages = part->stage->stages;
    start_part(part);
    part->key = arena_copy(&part->stage->recipient->message->arena, key);
    if (!stages->commands) {
        end_part(part, outcome_permanent(554, 7, 1, "mail to command is restricted"));
    } else if (!part->key.bytes) {
        end_part(part, outcome_temporary(451, 3, 0, "out of memory"));
    } else {
        list_append(&stages->queue, &part->queue_link);
        start_waiting_runs(stages);
    }
}

/* ---- forwarding ---- */

static void run_forward(void *argument)
{
    struct part *part = argument;
    struct stages *stages = part->stage->stages;
    struct arena arena;
    arena_init(&arena, 64 << 20, 0);
    part->request.addresses = buffer_span(&part->addresses);
    struct outcome outcome =
        forwarder_send(&stages->forwarder, &part->request, &arena, part->queue_id);
    if (outcome_is_ok(&outcome)) {
        outcome.reason = arena_format(&arena, "forwarded as %s", part->queue_id);
        if (!outcome.reason.bytes)
            outcome.reason = SPAN("forwarded");
    }
    end_part(part, outcome);
    arena_destroy(&arena);
}

static void take_forward(struct part *part, const struct ipc_forward *forward)
{
    struct stage *stage = part->stage;
    struct arena *arena = &stage->recipient->message->arena;
    buffer_append_span(&part->addresses, forward->recipients);
    if (!forward->is_last) {
        part->outcome = buffer_ok(&part->addresses)
                            ? outcome_ok()
                            : outcome_temporary(451, 3, 4, "too many addresses");
        answer(part);
        return;
    }
    part->is_all = forward->is_all && !stage->is_self_first; /* an alias may have more to do */
    part->request = (struct forward_request){.recipient = stage->recipient,
                                             .list_owner = arena_copy(arena, forward->sender),
                                             .is_all = part->is_all,
                                             .has_delivered_to = forward->has_delivered_to};
    start_part(part);
    if (!buffer_ok(&part->addresses) || !part->request.list_owner.bytes)
        end_part(part, outcome_temporary(451, 3, 4, "too many addresses"));
    else if (!task_start(stage->stages->loop, "forward", run_forward, part))
        end_part(part, outcome_temporary(451, 3, 0, "out of memory"));
}

/* ---- requests ---- */

void stages_on_request(struct agent_recipient *recipient, struct span key,
                       struct ipc_channel *channel, const struct ipc_delivery *request,
                       void *context)
{
    struct stage *stage = recipient->context;
    const bool is_forward = request->type == IPC_FORWARD;
    const struct ipc_forward *forward = request->message;
    const struct ipc_run *run = request->message;
    const struct span what = is_forward ? span_empty() : run->command;
    struct part *part = find_part(stage, is_forward, what);
    (void)context;
    if (part && part->state == PART_COLLECTING && part->collector != channel)
        buffer_reset(&part->addresses); /* its first worker died in the middle */
    if (!part && !(part = make_part(stage, is_forward, what)))
        return; /* the worker's call times out, and the mail waits */
    part->waiter = channel;
    part->collector = channel;
    part->waiter_id = request->id;
    if (part->state == PART_DONE)
        answer(part); /* for a worker that has taken the place of one that died */
    else if (part->state == PART_COLLECTING && is_forward)
        take_forward(part, forward);
    else if (part->state == PART_COLLECTING)
        queue_run(part, key);
}

void stages_init(struct stages *stages, struct loop *loop, const struct conf_local *settings,
                 struct maillog *log)
{
    struct span names = settings->alias_maps, name;
    *stages = (struct stages){.loop = loop, .settings = settings, .log = log};
    stages->forwarder.settings = settings;
    stages->forwarder.log = log;
    list_init(&stages->parts);
    list_init(&stages->queue);
    while (table_next_name(&names, &name))
        stages->table_count++;
    loop_timer_init(&stages->run_timer, loop, end_hanging_runs, stages);
    loop_timer_set(&stages->run_timer, clock_deadline_after(RUN_CHECK_MS));
}
