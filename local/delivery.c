/* local/delivery - see delivery.h. */
#include "delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "course.h"
#include "loops.h"

/* ---- nobody ---- */

static void relay_unknown(struct course *course)
{
    struct span address;
    struct destination destination;
    if (attributes_expand(&course->attributes, course->delivery->settings->luser_relay,
                          span_empty(), course->arena, &address) == ATTRIBUTES_HAS_NO_MEANING ||
        destination_next(&address, false, course->arena, &destination) != PARSE_OK ||
        destination.kind != DESTINATION_ADDRESS) {
        course_add_outcome(course, outcome_temporary(451, 3, 5, "luser_relay is no address"));
        return;
    }
    course_forward_to(course, destination.text);
}

static void deliver_to_nobody(struct course *course)
{
    struct local_delivery *delivery = course->delivery;
    const struct conf_local *settings = delivery->settings;
    const struct attributes *attributes = &course->attributes;
    if (course_pass_by(course, delivery->mailbox_transports, settings->mailbox_transport) ||
        course_pass_by(course, delivery->fallback_transports, settings->fallback_transport))
        return;
    if (!span_is_empty(settings->luser_relay)) {
        relay_unknown(course);
    } else if (span_equals(attributes->user, SPAN("postmaster")) ||
               span_equals(attributes->user, SPAN("mailer-daemon"))) {
        course_add_note(course, SPAN("required alias not found: its mail is discarded"));
        course_add_outcome(course, outcome_make(OUTCOME_OK, 250, 0, 0, SPAN("discarded")));
    } else {
        course_add_text(
            course, outcome_permanent(550, 1, 1, ""),
            arena_format(course->arena, "unknown user: \"%.*s\"", SPAN_PRINTF(attributes->user)));
    }
}

/* Another transport may have the mailbox; a .forward file, which only root could read, is none of
 * its business. */
static void deliver_for_root(struct course *course)
{
    const struct local_delivery *delivery = course->delivery;
    if (course_pass_by(course, delivery->mailbox_transports, delivery->settings->mailbox_transport))
        return;
    course_add_outcome(course, outcome_temporary(451, 2, 0, WORKER_NO_MAIL_AS_ROOT));
    course->result.is_declined = true;
}

/* ---- a user ---- */

static bool propagates(const struct course *course, const char *what)
{
    return span_list_has(course->delivery->settings->propagate_unmatched_extensions,
                         span_from_string(what));
}

static void add_loop(struct course *course)
{
    course_add_text(course, outcome_permanent(554, 4, 6, ""),
                    arena_format(course->arena, "mail forwarding loop for %.*s",
                                 SPAN_PRINTF(course->recipient->recipient)));
}

/* The message has been here before. */
static bool has_come_round(struct course *course)
{
    switch (loops_find(&course->message->content, course->recipient->recipient)) {
    case LOOPS_NO:
        return false;
    case LOOPS_YES:
        add_loop(course);
        return true;
    case LOOPS_FAILED:
        break;
    }
    course_add_outcome(course, outcome_temporary(451, 3, 0, "cannot read the message"));
    return true;
}

static bool has_home(struct course *course)
{
    struct stat status;
    const char *home = arena_string(course->arena, course->attributes.home);
    if (!course->delivery->settings->require_home_directory || !home || stat(home, &status) == 0)
        return true;
    course_add_text(course, outcome_temporary(451, 2, 0, ""),
                    arena_format(course->arena, "cannot access home directory %s: %s", home,
                                 strerrordesc_np(errno)));
    return false;
}

static void deliver_to_user(struct course *course)
{
    bool has_extension = false;
    if (!has_home(course))
        return;
    const bool is_forwarded = expansion_read_forward(&course->expansion, &course->attributes,
                                                     course->delivery->settings, &has_extension);
    course_add_note(course, course->expansion.note);
    if (!is_forwarded) {
        course_deliver_to_mailbox(course);
        return;
    }
    if (!outcome_is_ok(&course->expansion.outcome)) {
        course_add_outcome(course, course->expansion.outcome);
        return;
    }
    if (has_come_round(course))
        return;
    if (!has_extension && propagates(course, "forward"))
        course->unmatched = course->attributes.extension;
    course_do_actions(course, "forward");
    course_find_self(course);
    if (course->wants_mailbox && !course_is_waiting(course))
        course_deliver_to_mailbox(course);
    if (course->address_count > 0 && !course_is_waiting(course))
        course_forward(course);
}

/* ---- aliases ---- */

enum alias_result { ALIAS_FOUND, ALIAS_NOT_FOUND, ALIAS_ERROR };

static enum alias_result look_up_in(struct local_delivery *delivery, size_t table_number,
                                    struct span name, struct buffer *value)
{
    struct table *table = table_list_at(delivery->aliases, table_number);
    buffer_reset(value);
    switch (table_lookup(table, name, value)) {
    case TABLE_FOUND:
        return ALIAS_FOUND;
    case TABLE_NOT_FOUND:
        return ALIAS_NOT_FOUND;
    case TABLE_ERROR:
    case TABLE_WOULD_BLOCK:
        break;
    }
    return ALIAS_ERROR;
}

static enum alias_result look_up_alias(struct local_delivery *delivery, struct span name,
                                       struct buffer *value)
{
    return look_up_in(delivery, delivery->local->table_number, name, value);
}

/* The whole local part first, then the name without its extension. */
static enum alias_result find_alias(struct local_delivery *delivery,
                                    const struct attributes *attributes, struct buffer *value,
                                    struct span *name)
{
    *name = attributes->local;
    enum alias_result result = look_up_alias(delivery, *name, value);
    if (result == ALIAS_NOT_FOUND && !span_is_empty(attributes->extension)) {
        *name = attributes->user;
        result = look_up_alias(delivery, *name, value);
    }
    return result;
}

/* A table that this one's owner may not read says nothing of its lists. */
static enum alias_result find_owner_elsewhere(struct course *course, struct span owner,
                                              struct buffer *value)
{
    struct local_delivery *delivery = course->delivery;
    enum alias_result result = ALIAS_NOT_FOUND;
    for (size_t i = 0; i < table_list_count(delivery->aliases) && result != ALIAS_FOUND; i++) {
        if (i != delivery->local->table_number)
            result = look_up_in(delivery, i, owner, value);
        if (result == ALIAS_ERROR)
            course_add_note(
                course,
                arena_format(course->arena, "%.*s may have the alias %.*s, but cannot be read",
                             SPAN_PRINTF(table_name(table_list_at(delivery->aliases, i))),
                             SPAN_PRINTF(owner)));
    }
    return result == ALIAS_FOUND ? ALIAS_FOUND : ALIAS_NOT_FOUND;
}

/* owner-list, where it is an alias, receives what goes wrong with the list's mail. */
static bool find_list_owner(struct course *course, struct span name)
{
    const struct conf_local *settings = course->delivery->settings;
    struct buffer value;
    const struct span owner = arena_format(course->arena, "owner-%.*s", SPAN_PRINTF(name));
    if (!settings->owner_request_special || !owner.bytes)
        return true;
    buffer_init(&value, course->arena, TABLE_VALUE_MAX_BYTES);
    enum alias_result result = look_up_alias(course->delivery, owner, &value);
    if (result == ALIAS_NOT_FOUND)
        result = find_owner_elsewhere(course, owner, &value);
    if (result == ALIAS_FOUND)
        course->list_owner = settings->expand_owner_alias ? buffer_span(&value) : owner;
    return result != ALIAS_ERROR;
}

/* Reports of commands and files go to the sender of the message that they get. Null senders stay,
 * and a user's own part of the alias has been delivered already. */
static bool needs_owner_first(struct course *course)
{
    const struct span sender = course->message->envelope.reverse_path;
    struct span owner;
    return !span_is_empty(course->list_owner) && !span_is_empty(sender) &&
           course_has_actions(course) && !course_has_self(course) &&
           attributes_complete(course->delivery->settings, course->list_owner, course->arena,
                               &owner) &&
           !span_equals_ascii_nocase(owner, sender);
}

static void deliver_alias(struct course *course)
{
    struct local_delivery *delivery = course->delivery;
    struct buffer value;
    struct span name;
    buffer_init(&value, course->arena, TABLE_VALUE_MAX_BYTES);
    if (find_alias(delivery, &course->attributes, &value, &name) != ALIAS_FOUND ||
        !find_list_owner(course, name)) {
        course_add_outcome(course, outcome_temporary(451, 3, 0, "alias database unavailable"));
        return;
    }
    expansion_add_alias(&course->expansion, buffer_span(&value));
    if (!outcome_is_ok(&course->expansion.outcome)) {
        course_add_outcome(course, course->expansion.outcome);
        return;
    }
    if (has_come_round(course))
        return;
    if (propagates(course, "alias") && name.length < course->attributes.local.length)
        course->unmatched = course->attributes.extension;
    if (needs_owner_first(course)) {
        course_give_to_owner(course);
        return;
    }
    course_do_actions(course, "alias");
    course_find_self(course); /* whose part was done before, as the user */
    if (course->address_count > 0 && !course_is_waiting(course))
        course_forward(course);
    if (!course->has_outcome && course->wants_mailbox)
        course_add_outcome(course, outcome_make(OUTCOME_OK, 250, 0, 0, SPAN("delivered")));
    else if (!course->has_outcome)
        course_add_outcome(course, outcome_permanent(554, 3, 5, "the alias has no recipients"));
}

/* Does anybody get what is for these, or is it thrown away? */
static bool has_takers(const struct expansion *expansion)
{
    for (size_t i = 0; i < expansion->action_count; i++)
        if (expansion->actions[i].kind != DESTINATION_FILE ||
            !span_equals(expansion->actions[i].text, SPAN("/dev/null")))
            return true;
    return false;
}

void local_delivery_answer(struct ipc_channel *channel, const struct ipc_delivery *question,
                           void *context)
{
    struct local_delivery *delivery = context;
    const struct ipc_alias_ask *ask = question->message;
    struct ipc_alias_ask_reply reply = {.outcome = outcome_ok()};
    struct course course = {.delivery = delivery};
    struct arena arena;
    struct buffer value;
    struct span name;
    const struct agent_recipient recipient = {.recipient = ask->recipient};
    arena_init(&arena, 16 << 20, 0);
    course.arena = &arena;
    buffer_init(&value, &arena, TABLE_VALUE_MAX_BYTES);
    if (delivery->identity->rules.is_refusing) {
        reply.outcome = delivery->identity->rules.refusal;
    } else if (delivery->local->kind != LOCAL_ALIASES) {
        reply.outcome = outcome_temporary(451, 3, 0, "not a reader of aliases");
    } else if (attributes_init(&course.attributes, &recipient, delivery->settings, &arena)) {
        const enum alias_result result = find_alias(delivery, &course.attributes, &value, &name);
        reply.is_found = result == ALIAS_FOUND;
        if (result == ALIAS_ERROR)
            reply.outcome = outcome_temporary(451, 3, 0, "alias database unavailable");
    }
    if (reply.is_found) {
        expansion_init(&course.expansion, &arena);
        expansion_add_alias(&course.expansion, buffer_span(&value));
        course_find_self(&course);
        reply.has_self = course.wants_mailbox;
        reply.has_others = has_takers(&course.expansion);
        expansion_release(&course.expansion);
    }
    (void)ipc_channel_reply(channel, question->id, IPC_ALIAS_ASK_REPLY, &reply); /* or it closes */
    arena_destroy(&arena);
}

/* ---- tasks ---- */

static void take_course(struct course *course)
{
    const struct local_identity *local = course->delivery->local;
    course->attributes.home = local->home;
    course->attributes.shell = local->shell;
    if (agent_is_verification(course->message)) {
        if (local->kind == LOCAL_NOBODY)
            deliver_to_nobody(course);
        else
            course_add_outcome(course, outcome_make(OUTCOME_OK, 250, 0, 0,
                                                    local->kind == LOCAL_ALIASES
                                                        ? SPAN("expands an alias")
                                                        : SPAN("delivers to mailbox")));
        return;
    }
    switch (local->kind) {
    case LOCAL_USER:
        deliver_to_user(course);
        break;
    case LOCAL_NOBODY:
        deliver_to_nobody(course);
        break;
    case LOCAL_ROOT:
        deliver_for_root(course);
        break;
    case LOCAL_ALIASES:
        deliver_alias(course);
        break;
    }
}

static void run_course(void *argument)
{
    struct course *course = argument;
    course->task = task_current();
    take_course(course);
    if (!course->has_outcome && span_is_empty(course->result.transport))
        course_add_outcome(course, outcome_temporary(451, 3, 0, "nothing was done"));
    course->result.outcome =
        course->has_outcome ? course->outcome : outcome_temporary(451, 3, 0, "passed on");
    if (course_is_waiting(course))
        course->result.transport = course->result.nexthop = span_empty();
    if (!outcome_is_ok(&course->result.outcome) || !span_is_empty(course->result.transport))
        course->result.is_expanded = false;
    expansion_release(&course->expansion);
    agent_finish_result(course->recipient, &course->result);
}

static bool start_course(struct local_delivery *delivery, struct agent_recipient *recipient)
{
    struct agent_message *message = recipient->message;
    struct course *course = arena_alloc(&message->arena, sizeof(*course));
    if (!course)
        return false;
    *course = (struct course){
        .delivery = delivery, .recipient = recipient, .message = message, .arena = &message->arena};
    if (!attributes_init(&course->attributes, recipient, delivery->settings, &message->arena))
        return false;
    expansion_init(&course->expansion, &message->arena);
    return task_start(delivery->loop, "delivery", run_course, course) != NULL;
}

void local_delivery_deliver(struct agent_message *message, void *context)
{
    const struct local_delivery *delivery = context;
    const struct deliverer_rules *rules = &delivery->identity->rules;
    const struct ipc_recipient_result refused = {.outcome = rules->refusal,
                                                 .is_declined = rules->is_declined};
    for (size_t i = 0; i < message->recipient_count; i++)
        if (rules->is_refusing)
            agent_finish_result(&message->recipients[i], &refused);
        else if (!start_course(context, &message->recipients[i]))
            agent_finish(&message->recipients[i], outcome_temporary(451, 3, 0, "out of memory"));
}

void *local_delivery_begin(const struct worker_place *place)
{
    struct local_delivery *delivery = calloc(1, sizeof(*delivery));
    if (!delivery)
        return NULL;
    delivery->loop = place->loop;
    delivery->pool = place->pool;
    delivery->identity = place->identity;
    delivery->local = place->identity->context;
    if (place->identity->rules.is_refusing)
        return delivery;
    delivery->settings = delivery->local->settings;
    delivery->deliverer = deliverer_create(place->loop, place->pool, &place->identity->rules);
    delivery->root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    delivery->aliases = local_open_tables(delivery->settings->alias_maps);
    delivery->mailbox_commands = local_open_tables(delivery->settings->mailbox_command_maps);
    delivery->mailbox_transports = local_open_tables(delivery->settings->mailbox_transport_maps);
    delivery->fallback_transports = local_open_tables(delivery->settings->fallback_transport_maps);
    if (!delivery->deliverer || !delivery->aliases || !delivery->mailbox_commands ||
        !delivery->mailbox_transports || !delivery->fallback_transports)
        return NULL; /* the process ends */
    return delivery;
}
