/* local/course - see course.h. */
#include "course.h"

#include <errno.h>
#include <sys/stat.h>

#include "mbox.h"

enum {
    /* The dispatcher answers when it is done, however many wait before us; or it is gone, and with
     * it the channel. To give up before would have things done twice. */
    ANSWER_TIMEOUT_MS = 7 * 24 * 3600 * 1000,
    REASON_MAX_BYTES = 1024,
    FORWARD_PART_BYTES = 32768,
    TRANSPORT_MAX_BYTES = 255
};

/* ---- outcomes ---- */

static unsigned weight(enum outcome_kind kind)
{
    return kind == OUTCOME_TEMPORARY ? 2 : kind == OUTCOME_PERMANENT ? 1 : 0;
}

/* The worst of all decides; what went well is told together. */
void course_add_outcome(struct course *course, struct outcome outcome)
{
    if (course->has_outcome && weight(outcome.kind) < weight(course->outcome.kind))
        return;
    struct span reason = arena_copy(course->arena, outcome.reason);
    if (course->has_outcome && weight(outcome.kind) == weight(course->outcome.kind) &&
        course->outcome.reason.length + outcome.reason.length < REASON_MAX_BYTES)
        reason = arena_format(course->arena, "%.*s; %.*s", SPAN_PRINTF(course->outcome.reason),
                              SPAN_PRINTF(outcome.reason));
    course->outcome = outcome;
    course->outcome.reason = reason.bytes ? reason : SPAN("out of memory");
    course->has_outcome = true;
}

void course_add_text(struct course *course, struct outcome outcome, struct span reason)
{
    outcome.reason = reason.bytes ? reason : SPAN("out of memory");
    course_add_outcome(course, outcome);
}

bool course_is_waiting(const struct course *course)
{
    return course->has_outcome && course->outcome.kind == OUTCOME_TEMPORARY;
}

void course_add_note(struct course *course, struct span note)
{
    if (!span_is_empty(note) && span_is_empty(course->result.note))
        course->result.note = note;
}

/* ---- where a header comes from ---- */

static bool has_delivered_to(const struct course *course, const char *kind)
{
    return span_list_has(course->delivery->settings->prepend_delivered_header,
                         span_from_string(kind));
}

static bool is_allowed(struct span where, enum expansion_source source)
{
    static const char *const names[] = {[EXPANSION_ALIAS] = "alias",
                                        [EXPANSION_FORWARD] = "forward",
                                        [EXPANSION_INCLUDE] = "include"};
    for (struct span word; span_next_word(&where, ", \t\r\n", &word);)
        if (span_equals(word, span_from_string(names[source])))
            return true;
    return false;
}

/* ---- commands ---- */

static void run_command(struct course *course, struct span which)
{
    struct ipc_run_reply reply;
    struct ipc_channel *channel = agent_channel(course->message->agent);
    const struct ipc_run run = {.delivery = course->message->deliver.delivery,
                                .index = course->recipient->index,
                                .command = which};
    if (!channel || !which.bytes ||
        ipc_channel_call(channel, IPC_RUN, &run, IPC_RUN_REPLY, &reply, course->arena,
                         clock_deadline_after(ANSWER_TIMEOUT_MS)) != IPC_CALL_OK)
        reply.outcome = outcome_temporary(451, 3, 0, "cannot have the command run");
    course_add_outcome(course, reply.outcome);
}

/* ---- files ---- */

/* A recipient of several parts comes again whole when one of them has to wait. */
static bool is_maybe_repeated(const struct course *course)
{
    return course->message->deliver.is_maybe_repeated || course->expansion.action_count > 1 ||
           course->address_count > 0;
}

/* What comes before may take as long as the user's file system likes, and the dispatcher does not
 * wait for ever: another process may have delivered meanwhile. */
static bool is_still_wanted(struct course *course)
{
    const bool is_wanted = !agent_is_deserted(course->message->agent);
    if (!is_wanted)
        course_add_outcome(course, outcome_temporary(451, 3, 0, "nobody waits for it any more"));
    return is_wanted;
}

struct mbox_work {
    struct mbox_request request;
    struct maildir_result result;
};

static void mbox_work(void *argument)
{
    struct mbox_work *work = argument;
    struct rendition_space *space = rendition_space_create();
    if (space)
        mbox_deliver(&work->request, space, &work->result);
    else
        maildir_fail(&work->result, ENOMEM, "write the message");
    rendition_space_destroy(&space);
}

/* Of a message in the user's mailbox file. Nobody waits for an answer. */
static void tell_of_mail(const struct course *course, uint64_t offset)
{
    struct ipc_channel *channel = agent_channel(course->message->agent);
    const struct ipc_mail_notice notice = {.offset = offset};
    if (channel && course->delivery->settings->biff)
        (void)ipc_channel_send(channel, IPC_MAIL_NOTICE, &notice); /* else nobody looks up */
}

/* success: what the log says; a file of somebody's choice may belong to a group of people. */
static void append_to_file(struct course *course, const char *path, bool is_named, bool has_field,
                           struct span success)
{
    const struct conf_local *settings = course->delivery->settings;
    struct mbox_work *work = arena_alloc(course->arena, sizeof(*work));
    if (!is_still_wanted(course))
        return;
    if (!work || !path || !success.bytes) {
        course_add_outcome(course, outcome_temporary(451, 3, 0, "out of memory"));
        return;
    }
    work->request = (struct mbox_request){
        .content = &course->message->content,
        .queue_id = course->message->deliver.queue_id,
        .reverse_path = course->message->envelope.reverse_path,
        .original_recipient = course->attributes.original_recipient,
        .delivered_to = has_field ? course->recipient->recipient : span_empty(),
        .path = path,
        .size_limit_bytes = settings->mailbox_size_limit,
        .locks = {.kinds = filelock_kinds_from_names(settings->mailbox_delivery_lock),
                  .attempts = settings->deliver_lock_attempts,
                  .delay_ms = settings->deliver_lock_delay_ms,
                  .stale_ms = settings->stale_lock_time_ms},
        .must_be_owner = !is_named && settings->strict_mailbox_ownership,
        .is_named = is_named,
        .is_maybe_repeated = is_maybe_repeated(course),
    };
    pool_run(course->delivery->pool, mbox_work, work);
    if (work->result.is_corrupt)
        course->message->is_corrupt = true;
    if (outcome_is_ok(&work->result.outcome)) {
        work->result.outcome.reason = success;
        if (!is_named)
            tell_of_mail(course, work->result.offset);
    }
    course_add_outcome(course, work->result.outcome);
}

static void on_maildir_done(struct deliverer_job *job)
{
    struct course *course = job->context;
    course->is_woken = true;
    task_wake(course->task);
}

static void deliver_to_maildir(struct course *course, struct deliverer_job *job)
{
    job->done = on_maildir_done;
    job->context = course;
    job->action = course->next_action++;
    job->is_maybe_repeated = is_maybe_repeated(course);
    course->is_woken = false;
    if (!is_still_wanted(course))
        return;
    if (!deliverer_start(course->delivery->deliverer, course->recipient, job)) {
        course_add_outcome(course, outcome_temporary(451, 2, 0, "the mailbox has no usable path"));
        return;
    }
    while (!course->is_woken)
        task_park_uncancelled();
    if (job->delivery.result.is_corrupt)
        course->message->is_corrupt = true;
    course_add_outcome(course, job->delivery.result.outcome);
}

/* "~/file" is below the home directory of whose rights it is that we have. */
static struct span from_home(const struct course *course, struct span path)
{
    const struct span home = course->attributes.home;
    if (!span_starts_with(path, SPAN("~")))
        return path;
    return span_is_empty(home) ? span_empty()
                               : arena_format(course->arena, "%.*s%.*s", SPAN_PRINTF(home),
                                              SPAN_PRINTF(span_after(path, 1)));
}

static void deliver_to_named_file(struct course *course, struct span text)
{
    const struct span path = from_home(course, text);
    const char *name = arena_string(course->arena, path);
    struct deliverer_job *job = arena_alloc(course->arena, sizeof(*job));
    const bool has_field = has_delivered_to(course, "file");
    const struct span success =
        arena_format(course->arena, "delivered to file: %.*s", SPAN_PRINTF(path));
    if (path.bytes && path.length == 0) {
        course_add_text(
            course, outcome_temporary(451, 3, 5, ""),
            arena_format(course->arena, "unknown home directory for: %.*s", SPAN_PRINTF(text)));
    } else if (!name || !job) {
        course_add_outcome(course, outcome_temporary(451, 3, 0, "out of memory"));
    } else if (span_equals(path, SPAN("/dev/null"))) {
        course_add_text(course, outcome_ok(), success);
    } else if (span_ends_with(path, SPAN("/"))) {
        *job = (struct deliverer_job){.base = course->delivery->root,
                                      .path = path,
                                      .owner = MAILDIR_ANY_OWNER,
                                      .has_delivered_to = has_field};
        deliver_to_maildir(course, job);
    } else {
        append_to_file(course, name, true, has_field, success);
    }
}

/* ---- forwarding ---- */

static void ask_to_forward(struct course *course, struct ipc_forward *forward, struct buffer *part)
{
    struct ipc_forward_reply reply;
    struct ipc_channel *channel = agent_channel(course->message->agent);
    forward->recipients = buffer_span(part);
    if (!channel || !buffer_ok(part) ||
        ipc_channel_call(channel, IPC_FORWARD, forward, IPC_FORWARD_REPLY, &reply, course->arena,
                         clock_deadline_after(ANSWER_TIMEOUT_MS)) != IPC_CALL_OK) {
        course_add_outcome(course, outcome_temporary(451, 3, 0, "cannot forward the message now"));
        return;
    }
    if (!outcome_is_ok(&reply.outcome))
        course_add_outcome(course, reply.outcome);
    else if (forward->is_last)
        course_add_text(
            course, outcome_ok(),
            arena_format(course->arena, "forwarded as %.*s", SPAN_PRINTF(reply.queue_id)));
    buffer_reset(part);
}

/* The extension that no name matched goes on, where propagate_unmatched_extensions says so. */
static struct span with_extension(const struct course *course, struct span address)
{
    const size_t at = span_find_last_byte(address, '@');
    const struct span user = span_first(address, at);
    const struct span delimiters = course->delivery->settings->recipient_delimiter;
    for (size_t i = 0; i < delimiters.length; i++)
        if (span_find_byte(user, delimiters.bytes[i]) < user.length)
            return address;
    if (span_is_empty(course->unmatched) || (user.length > 0 && user.bytes[0] == '"'))
        return address;
    const struct span longer =
        arena_format(course->arena, "%.*s%.*s%.*s%.*s", SPAN_PRINTF(user),
                     SPAN_PRINTF(span_first(course->attributes.delimiter, 1)),
                     SPAN_PRINTF(course->unmatched), SPAN_PRINTF(span_after(address, at)));
    return longer.bytes ? longer : address;
}

/* All addresses become one message. The last thing that is done: with its commit the recipient is
 * delivered, and nothing comes twice should this process die now. */
void course_forward(struct course *course)
{
    struct buffer part;
    struct ipc_forward forward = {
        .delivery = course->message->deliver.delivery,
        .index = course->recipient->index,
        .sender = course->list_owner,
        .is_all = span_is_empty(course->result.transport) &&
                  (!course->has_outcome || outcome_is_ok(&course->outcome)),
        .has_delivered_to = !course->is_owners_first && has_delivered_to(course, "forward")};
    size_t left = course->address_count;
    buffer_init(&part, NULL, IPC_RECORDS_MAX);
    for (size_t i = 0; i < course->expansion.action_count && !course_is_waiting(course) && left > 0;
         i++) {
        const struct action *action = &course->expansion.actions[i];
        if (action->kind != DESTINATION_ADDRESS)
            continue;
        const struct ipc_addr_recipient recipient = {.address =
                                                         with_extension(course, action->text)};
        ipc_records_append(IPC_ADDR_RECIPIENT, &recipient, &part);
        forward.is_last = --left == 0;
        if (forward.is_last || part.length > FORWARD_PART_BYTES)
            ask_to_forward(course, &forward, &part);
    }
    buffer_release(&part);
    course->result.is_expanded = true;
}

void course_forward_to(struct course *course, struct span address)
{
    struct action *action = arena_alloc(course->arena, sizeof(*action));
    if (!action) {
        course_add_outcome(course, outcome_temporary(451, 3, 0, "out of memory"));
        return;
    }
    *action = (struct action){.kind = DESTINATION_ADDRESS, .text = address};
    course->expansion.actions = action;
    course->expansion.action_count = course->address_count = 1;
    course_forward(course);
}

/* All of the recipient's mail becomes one message to the same recipient, which the list's owner
 * sends. */
void course_give_to_owner(struct course *course)
{
    course->is_owners_first = true; /* it has not been here, as far as loops are concerned */
    course->unmatched = span_empty();
    course_forward_to(course, course->recipient->recipient);
}

/* ---- an expansion ---- */

/* Is the address the recipient itself? One without a domain gets myorigin's. */
static bool is_self(const struct course *course, const struct action *action)
{
    const struct attributes *attributes = &course->attributes;
    const struct conf_local *settings = course->delivery->settings;
    const size_t at = span_find_last_byte(action->text, '@');
    const struct span user = span_first(action->text, at);
    const struct span domain =
        at < action->text.length ? span_after(action->text, at + 1) : settings->myorigin;
    return (span_equals_ascii_nocase(user, attributes->user) ||
            span_equals_ascii_nocase(user, attributes->local)) &&
           (action->is_final || span_equals_ascii_nocase(domain, attributes->domain));
}

bool course_has_actions(const struct course *course)
{
    const struct expansion *expansion = &course->expansion;
    for (size_t i = 0; i < expansion->action_count; i++)
        if (expansion->actions[i].kind != DESTINATION_ADDRESS)
            return true;
    return false;
}

bool course_has_self(const struct course *course)
{
    const struct expansion *expansion = &course->expansion;
    for (size_t i = 0; i < expansion->action_count; i++)
        if (expansion->actions[i].kind == DESTINATION_ADDRESS &&
            is_self(course, &expansion->actions[i]))
            return true;
    return false;
}

/* Takes the user's own name out of the addresses. */
void course_find_self(struct course *course)
{
    struct expansion *expansion = &course->expansion;
    size_t kept = 0;
    course->address_count = 0;
    for (size_t i = 0; i < expansion->action_count; i++) {
        const struct action action = expansion->actions[i];
        if (action.kind == DESTINATION_ADDRESS && is_self(course, &action)) {
            course->wants_mailbox = true;
            continue;
        }
        course->address_count += action.kind == DESTINATION_ADDRESS;
        expansion->actions[kept++] = action;
    }
    expansion->action_count = kept;
}

static void do_action(struct course *course, const struct action *action, size_t number,
                      const char *source)
{
    const struct conf_local *settings = course->delivery->settings;
    const bool is_command = action->kind == DESTINATION_COMMAND;
    if (!is_allowed(is_command ? settings->allow_mail_to_commands : settings->allow_mail_to_files,
                    action->source)) {
        course_add_outcome(
            course, is_command ? outcome_permanent(554, 7, 1, "mail to command is restricted")
                               : outcome_permanent(554, 7, 1, "mail to file is restricted"));
        return;
    }
    if (action->is_untrusted) {
        course_add_outcome(course,
                           outcome_temporary(451, 3, 5,
                                             "an :include: file has commands or files in it and is "
                                             "neither root's nor ours"));
        return;
    }
    if (is_command)
        run_command(course, arena_format(course->arena, "%s %zu", source, number));
    else
        deliver_to_named_file(course, action->text);
}

/* Commands and files; the first that has to wait ends it, so that little is done twice. */
void course_do_actions(struct course *course, const char *source)
{
    for (size_t i = 0; i < course->expansion.action_count && !course_is_waiting(course); i++) {
        const struct action *action = &course->expansion.actions[i];
        if (action->kind != DESTINATION_ADDRESS)
            do_action(course, action, i, source);
    }
}

/* ---- the mailbox ---- */

static bool look_up(struct course *course, struct table_list *tables, struct span key,
                    struct span *value)
{
    struct buffer found;
    if (!tables || table_list_is_empty(tables))
        return false;
    buffer_init(&found, course->arena, TABLE_VALUE_MAX_BYTES);
    switch (table_list_lookup(tables, key, &found)) {
    case TABLE_FOUND:
        *value = buffer_span(&found);
        return true;
    case TABLE_NOT_FOUND:
        return false;
    case TABLE_ERROR:
    case TABLE_WOULD_BLOCK:
        break;
    }
    course_add_text(course, outcome_temporary(451, 3, 0, ""),
                    arena_format(course->arena, "table lookup error: %.*s",
                                 SPAN_PRINTF(table_list_error(tables))));
    return false;
}

/* Hands the recipient to another transport: "name" or "name:nexthop". */
static bool pass(struct course *course, struct span transport)
{
    struct span name, nexthop;
    if (span_is_empty(transport) || course->has_outcome)
        return false;
    (void)span_split_once(transport, ':', &name, &nexthop);
    if (span_is_empty(name) || name.length > TRANSPORT_MAX_BYTES) {
        course_add_outcome(course, outcome_temporary(451, 3, 5, "a setting names no transport"));
        return true;
    }
    course->result.transport = name;
    course->result.nexthop = span_is_empty(nexthop) ? course->attributes.domain : nexthop;
    return true;
}

bool course_pass_by(struct course *course, struct table_list *tables, struct span otherwise)
{
    struct span transport = otherwise, found;
    if (look_up(course, tables, course->attributes.user, &found))
        transport = found;
    return pass(course, transport) || course_is_waiting(course);
}

/* A folder of Maildir++ is a directory below the Maildir whose name begins with a dot. */
static struct span folder_path(const struct course *course)
{
    const struct local_delivery *delivery = course->delivery;
    const struct span mailbox = delivery->identity->rules.mailbox;
    const struct span choice = delivery->settings->extension_folders;
    const struct span folder = course->attributes.extension;
    struct stat status;
    if (span_equals(choice, SPAN("no")) || span_is_empty(folder) || folder.bytes[0] == '.' ||
        span_find(folder, SPAN("..")) < folder.length)
        return mailbox;
    for (size_t i = 0; i < folder.length; i++)
        if (folder.bytes[i] < ' ' || folder.bytes[i] == 0x7f)
            return mailbox;
    const struct span path =
        arena_format(course->arena, "%.*s.%.*s/", SPAN_PRINTF(mailbox), SPAN_PRINTF(folder));
    const char *name = path.bytes ? arena_string(course->arena, path) : NULL;
    if (!name || (span_equals(choice, SPAN("existing")) &&
                  fstatat(delivery->identity->rules.base, name, &status, 0) != 0))
        return mailbox;
    return path;
}

static void deliver_to_own_mailbox(struct course *course)
{
    const struct worker_identity *identity = course->delivery->identity;
    const struct conf_local *settings = course->delivery->settings;
    struct deliverer_job *job = arena_alloc(course->arena, sizeof(*job));
    const struct span path = identity->rules.mailbox;
    const struct span where = span_is_empty(settings->home_mailbox) ? settings->mail_spool_directory
                                                                    : settings->home_mailbox;
    if (!job) {
        course_add_outcome(course, outcome_temporary(451, 3, 0, "out of memory"));
    } else if (span_ends_with(where, SPAN("/"))) {
        *job =
            (struct deliverer_job){.base = identity->rules.base,
                                   .path = identity->rules.is_confined ? path : folder_path(course),
                                   .is_confined = identity->rules.is_confined,
                                   .owner = identity->rules.owner,
                                   .has_delivered_to = true};
        deliver_to_maildir(course, job);
    } else {
        const char *file = identity->spool_path;
        if (!span_is_empty(settings->home_mailbox)) {
            const struct span whole =
                arena_format(course->arena, "%.*s/%.*s", SPAN_PRINTF(course->attributes.home),
                             SPAN_PRINTF(settings->home_mailbox));
            file = whole.bytes ? arena_string(course->arena, whole) : NULL;
        }
        append_to_file(course, file, false, true, SPAN("delivered to mailbox"));
    }
}

void course_deliver_to_mailbox(struct course *course)
{
    struct local_delivery *delivery = course->delivery;
    const struct conf_local *settings = delivery->settings;
    struct span command;
    if (course_pass_by(course, delivery->mailbox_transports, settings->mailbox_transport))
        return;
    if (look_up(course, delivery->mailbox_commands, course->attributes.user, &command) ||
        (!course_is_waiting(course) && !span_is_empty(settings->mailbox_command)))
        run_command(course, SPAN("mailbox"));
    else if (!course_is_waiting(course))
        deliver_to_own_mailbox(course);
}
