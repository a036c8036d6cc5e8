/* local/runner - see runner.h. */
#include "runner.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "expansion.h"
#include "identity.h"
#include "rendition.h"
#include "system/command.h"

struct runner {
    const struct worker_identity *identity;
    const struct local_identity *local;
    struct table_list *aliases;
    struct table_list *mailbox_commands;
};

struct run {
    const struct runner *runner;
    struct agent_recipient *recipient;
    struct arena *arena;
    struct attributes attributes;
    struct outcome outcome; /* not OK: why there is no command */
    bool has_field;
};

/* ---- which command ---- */

static void fail(struct run *run, const char *reason)
{
    run->outcome = outcome_temporary(451, 3, 0, reason);
}

static bool look_up(struct run *run, struct table *table, struct span name, struct buffer *value)
{
    buffer_reset(value);
    const enum table_result result = table_lookup(table, name, value);
    if (result == TABLE_ERROR || result == TABLE_WOULD_BLOCK)
        fail(run, "alias database unavailable");
    return result == TABLE_FOUND;
}

static void read_alias(struct run *run, struct expansion *expansion)
{
    struct buffer value;
    struct table *table = table_list_at(run->runner->aliases, run->runner->local->table_number);
    buffer_init(&value, run->arena, TABLE_VALUE_MAX_BYTES);
    if (look_up(run, table, run->attributes.local, &value) ||
        (outcome_is_ok(&run->outcome) && look_up(run, table, run->attributes.user, &value)))
        expansion_add_alias(expansion, buffer_span(&value));
}

/* The text of the command with that number in the expansion; empty when it is not there any more.
 */
static struct span from_expansion(struct run *run, bool is_alias, struct span number)
{
    struct expansion expansion;
    bool has_extension = false;
    struct span text = span_empty();
    const char *digits = arena_string(run->arena, number);
    const unsigned long index = digits ? strtoul(digits, NULL, 10) : ULONG_MAX;
    expansion_init(&expansion, run->arena);
    if (is_alias)
        read_alias(run, &expansion);
    else if (!expansion_read_forward(&expansion, &run->attributes, run->runner->local->settings,
                                     &has_extension))
        fail(run, "the .forward file is gone");
    if (outcome_is_ok(&run->outcome))
        run->outcome = expansion.outcome;
    if (outcome_is_ok(&run->outcome) && index < expansion.action_count &&
        expansion.actions[index].kind == DESTINATION_COMMAND &&
        !expansion.actions[index].is_untrusted)
        text = expansion.actions[index].text;
    expansion_release(&expansion);
    return text;
}

static struct span mailbox_command(struct run *run)
{
    const struct conf_local *settings = run->runner->local->settings;
    struct table_list *tables = run->runner->mailbox_commands;
    struct buffer found;
    buffer_init(&found, run->arena, TABLE_VALUE_MAX_BYTES);
    const enum table_result result = table_list_is_empty(tables)
                                         ? TABLE_NOT_FOUND
                                         : table_list_lookup(tables, run->attributes.user, &found);
    if (result == TABLE_NOT_FOUND)
        return settings->mailbox_command;
    if (result != TABLE_FOUND)
        fail(run, "cannot look up the mailbox command");
    return buffer_span(&found);
}

static struct span find_command(struct run *run)
{
    struct span kind, number;
    const enum local_kind who = run->runner->local->kind;
    (void)span_split_once(run->recipient->mailbox, ' ', &kind, &number);
    if (who == LOCAL_ALIASES && span_equals(kind, SPAN("alias")))
        return from_expansion(run, true, number);
    if (who == LOCAL_USER && span_equals(kind, SPAN("forward")))
        return from_expansion(run, false, number);
    if (who == LOCAL_USER && span_equals(kind, SPAN("mailbox")))
        return mailbox_command(run);
    return span_empty();
}

/* ---- running it ---- */

/* In the feeder's process: a From_ line, our fields and the message. */
static int feed(void *context, int descriptor)
{
    const struct run *run = context;
    const struct agent_message *message = run->recipient->message;
    struct rendition_space *space = rendition_space_create();
    struct buffer fields;
    uint64_t size_bytes = 0;
    if (!space)
        return ENOMEM;
    buffer_init(&fields, NULL, RENDITION_FIELDS_MAX_BYTES);
    rendition_put_from_line(&fields, message->envelope.reverse_path,
                            (int64_t)(clock_realtime_us() / 1000000));
    rendition_put_fields(&fields, message->envelope.reverse_path,
                         run->attributes.original_recipient,
                         run->has_field ? run->recipient->recipient : span_empty());
    if (!buffer_ok(&fields))
        return ENOMEM;
    switch (rendition_write(&message->content, RENDITION_PLAIN, buffer_span(&fields), span_empty(),
                            space, descriptor, &size_bytes)) {
    case RENDITION_OK:
        return 0;
    case RENDITION_WRITE_FAILED:
        return errno == EPIPE ? 0 : errno;
    case RENDITION_READ_FAILED:
        return errno;
    case RENDITION_CORRUPT:
    case RENDITION_LOOPS:
        break;
    }
    return EBADMSG;
}

static bool wants_field(const struct conf_local *settings)
{
    return span_list_has(settings->prepend_delivered_header, SPAN("command"));
}

/* Where it runs; NULL: where we are. */
static bool set_directory(struct run *run, struct command *command)
{
    const struct conf_local *settings = run->runner->local->settings;
    struct span directory;
    if (span_is_empty(settings->command_execution_directory))
        return true;
    if (attributes_expand(&run->attributes, settings->command_execution_directory,
                          settings->execution_directory_expansion_filter, run->arena,
                          &directory) == ATTRIBUTES_HAS_NO_MEANING ||
        !(command->directory = arena_string(run->arena, directory))) {
        fail(run, "command_execution_directory gives no directory");
        return false;
    }
    return true;
}

static struct outcome run_command(struct run *run, struct span text)
{
    const struct conf_local *settings = run->runner->local->settings;
    struct command_result *result = arena_alloc(run->arena, sizeof(*result));
    struct command command = {.text = text,
                              .time_limit_ms = settings->command_time_limit_ms,
                              .feed = feed,
                              .feed_context = run};
    struct span shell = settings->local_command_shell;
    if (!span_is_empty(shell)) {
        shell = arena_format(run->arena, "%.*s -c", SPAN_PRINTF(shell));
        if (!shell.bytes)
            shell = span_empty();
    }
    command.arguments = command_split(text, shell, run->arena);
    command.environment = attributes_environment(&run->attributes, settings, run->arena);
    run->has_field = wants_field(settings);
    if (!result || !command.arguments || !command.environment)
        return outcome_temporary(451, 3, 0, "the command has no words, or memory is out");
    if (!set_directory(run, &command))
        return run->outcome;
    command_run(&command, result);
    if (result->feed_error == EBADMSG)
        run->recipient->message->is_corrupt = true;
    struct outcome outcome = command_outcome(&command, result, run->arena);
    if (outcome_is_ok(&outcome)) {
        outcome.reason = arena_format(run->arena, "delivered to command: %.*s", SPAN_PRINTF(text));
        if (!outcome.reason.bytes)
            outcome.reason = SPAN("delivered to command");
    }
    return outcome;
}

static struct outcome serve_one(const struct runner *runner, struct agent_recipient *recipient)
{
    struct run run = {.runner = runner,
                      .recipient = recipient,
                      .arena = &recipient->message->arena,
                      .outcome = outcome_ok()};
    if (!attributes_init(&run.attributes, recipient, runner->local->settings, run.arena))
        return outcome_temporary(451, 3, 0, "out of memory");
    run.attributes.home = runner->local->home;
    run.attributes.shell = runner->local->shell;
    const struct span text = find_command(&run);
    if (!outcome_is_ok(&run.outcome))
        return run.outcome;
    if (span_is_empty(text))
        return outcome_temporary(451, 3, 0, "the command is not there any more");
    return run_command(&run, text);
}

void runner_deliver(struct agent_message *message, void *context)
{
    const struct runner *runner = context;
    const struct deliverer_rules *rules = &runner->identity->rules;
    for (size_t i = 0; i < message->recipient_count; i++) {
        const struct outcome outcome =
            rules->is_refusing ? rules->refusal : serve_one(runner, &message->recipients[i]);
        agent_finish(&message->recipients[i], outcome);
    }
}

void *runner_begin(const struct worker_place *place)
{
    struct runner *runner = calloc(1, sizeof(*runner));
    if (!runner)
        return NULL;
    runner->identity = place->identity;
    runner->local = place->identity->context;
    if (place->identity->rules.is_refusing)
        return runner;
    runner->aliases = local_open_tables(runner->local->settings->alias_maps);
    runner->mailbox_commands = local_open_tables(runner->local->settings->mailbox_command_maps);
    return runner->aliases && runner->mailbox_commands ? runner : NULL;
}
