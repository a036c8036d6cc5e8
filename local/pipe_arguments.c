/* local/pipe_arguments - see pipe_arguments.h. */
#include "pipe_arguments.h"

#include "address/rewrite.h"
#include "base/ascii.h"
#include "environment.h"

enum { ARGUMENT_MAX_BYTES = 65536, ARGUMENTS_MAX = 20000 };

/* One delivery's command line in the making. */
struct making {
    const struct pipe_rules *rules;
    const struct agent_message *message;
    struct arena *arena;
    struct conf_pipe_values values;
    const char **arguments;
    size_t count;
    bool is_bad_address;
};

static struct span fold(struct span text, bool is_wanted, struct arena *arena)
{
    if (!is_wanted || span_is_empty(text))
        return text;
    uint8_t *lower = arena_alloc(arena, text.length);
    if (!lower)
        return (struct span){NULL, 0};
    memcpy(lower, text.bytes, text.length);
    ascii_lower_in_place(lower, text.length);
    return span_of(lower, text.length);
}

/* An address in its parts, as the flags want them; what cannot be parsed is one local part. */
static bool take_apart(unsigned flags, struct span address, struct arena *arena,
                       struct mailbox *mailbox)
{
    if (mailbox_parse(address, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, arena, mailbox) != PARSE_OK)
        *mailbox = (struct mailbox){.local_part = address, .domain = span_empty(), .text = address};
    mailbox->local_part = fold(mailbox->local_part, flags & CONF_PIPE_FOLD_LOCAL_PART, arena);
    mailbox->domain = fold(mailbox->domain, flags & CONF_PIPE_FOLD_DOMAIN, arena);
    return mailbox->local_part.bytes && (mailbox->domain.bytes || mailbox->domain.length == 0);
}

/* Local part and domain again; quoted where flag q is set and it must be. */
static struct span join(const struct pipe_rules *rules, const struct mailbox *parts,
                        struct arena *arena)
{
    struct mailbox quoted;
    if ((rules->command->flags & CONF_PIPE_QUOTE) &&
        mailbox_set(&quoted, parts->local_part, parts->domain, arena))
        return quoted.text;
    if (parts->domain.length == 0)
        return parts->local_part;
    return arena_format(arena, "%.*s@%.*s", SPAN_PRINTF(parts->local_part),
                        SPAN_PRINTF(parts->domain));
}

static struct span write_address(const struct pipe_rules *rules, struct span address,
                                 unsigned flags, struct arena *arena)
{
    struct mailbox parts;
    return take_apart(flags, address, arena, &parts) ? join(rules, &parts, arena)
                                                     : (struct span){NULL, 0};
}

/* An address that begins with a hyphen would be an option to many a program. */
static bool may_be_passed(const struct making *making, struct span address)
{
    return making->rules->settings->allow_min_user || !span_starts_with(address, SPAN("-"));
}

static struct span port_text(const struct queue_envelope *envelope, struct arena *arena)
{
    return envelope->client_port ? arena_format(arena, "%u", envelope->client_port) : span_empty();
}

/* What does not depend on the recipient. */
static bool set_common_values(struct making *making)
{
    const struct agent_message *message = making->message;
    const struct queue_envelope *envelope = &message->envelope;
    struct span *of = making->values.of;
    const struct span sender =
        span_is_empty(envelope->reverse_path)
            ? making->rules->command->null_sender
            : write_address(making->rules, envelope->reverse_path, 0, making->arena); /* as it is */
    of[CONF_PIPE_CLIENT_ADDRESS] = envelope->client_address;
    of[CONF_PIPE_CLIENT_HELO] = envelope->helo;
    of[CONF_PIPE_CLIENT_HOSTNAME] = envelope->client_name;
    of[CONF_PIPE_CLIENT_PORT] = port_text(envelope, making->arena);
    of[CONF_PIPE_CLIENT_PROTOCOL] = envelope->protocol;
    of[CONF_PIPE_ENVID] = envelope->envid;
    of[CONF_PIPE_NEXTHOP] =
        fold(message->deliver.nexthop, making->rules->command->flags & CONF_PIPE_FOLD_DOMAIN,
             making->arena);
    of[CONF_PIPE_QUEUE_ID] = message->deliver.queue_id;
    of[CONF_PIPE_SENDER] = sender;
    of[CONF_PIPE_SIZE] =
        arena_format(making->arena, "%llu", (unsigned long long)message->content.size_bytes);
    making->is_bad_address = making->is_bad_address || !may_be_passed(making, sender);
    return sender.bytes && of[CONF_PIPE_SIZE].bytes && of[CONF_PIPE_NEXTHOP].bytes;
}

static bool set_recipient_values(struct making *making, const struct agent_recipient *recipient)
{
    const struct pipe_rules *rules = making->rules;
    const unsigned flags = rules->command->flags;
    struct span *of = making->values.of;
    struct mailbox parts;
    if (!take_apart(flags, recipient->recipient, making->arena, &parts))
        return false;
    of[CONF_PIPE_RECIPIENT] = join(rules, &parts, making->arena);
    of[CONF_PIPE_MAILBOX] = parts.local_part;
    of[CONF_PIPE_DOMAIN] = parts.domain;
    (void)address_split_extension(parts.local_part, rules->settings->recipient_delimiter, false,
                                  &of[CONF_PIPE_USER], &of[CONF_PIPE_EXTENSION]);
    of[CONF_PIPE_ORIGINAL_RECIPIENT] =
        span_is_empty(recipient->original)
            ? of[CONF_PIPE_RECIPIENT]
            : write_address(rules, recipient->original, flags, making->arena);
    making->is_bad_address = making->is_bad_address ||
                             !may_be_passed(making, of[CONF_PIPE_RECIPIENT]) ||
                             !may_be_passed(making, of[CONF_PIPE_ORIGINAL_RECIPIENT]) ||
                             !may_be_passed(making, of[CONF_PIPE_MAILBOX]) || /* without quotes */
                             !may_be_passed(making, of[CONF_PIPE_DOMAIN]) ||
                             !may_be_passed(making, of[CONF_PIPE_EXTENSION]);
    return of[CONF_PIPE_RECIPIENT].bytes && of[CONF_PIPE_ORIGINAL_RECIPIENT].bytes;
}

static bool add_argument(struct making *making, struct span text)
{
    struct buffer expanded;
    bool is_added = false;
    buffer_init(&expanded, NULL, ARGUMENT_MAX_BYTES);
    if (making->count < ARGUMENTS_MAX && conf_pipe_expand(text, &making->values, &expanded) &&
        buffer_ok(&expanded)) {
        making->arguments[making->count] = arena_string(making->arena, buffer_span(&expanded));
        is_added = making->arguments[making->count] != NULL;
        making->count += is_added;
    }
    buffer_release(&expanded);
    return is_added;
}

static bool add_arguments(struct making *making)
{
    const struct conf_pipe_command *command = making->rules->command;
    const struct agent_message *message = making->message;
    if (!set_common_values(making))
        return false;
    for (size_t i = 0; i < command->argument_count; i++) {
        const size_t times =
            conf_pipe_is_per_recipient(command->arguments[i]) ? message->recipient_count : 1;
        for (size_t n = 0; n < times; n++)
            if (!set_recipient_values(making, &message->recipients[n]) ||
                !add_argument(making, command->arguments[i]))
                return false;
    }
    return true;
}

const char *const *pipe_arguments_make(const struct pipe_rules *rules,
                                       const struct agent_message *message, struct arena *arena,
                                       struct outcome *outcome)
{
    struct making making = {.rules = rules, .message = message, .arena = arena};
    const size_t most = rules->command->argument_count * message->recipient_count + 1;
    making.arguments = arena_alloc(
        arena, (most < ARGUMENTS_MAX ? most : ARGUMENTS_MAX) * sizeof(char *) + sizeof(char *));
    *outcome = outcome_temporary(451, 3, 0, "the command line of this delivery is too long");
    if (!making.arguments || !add_arguments(&making))
        return NULL;
    making.arguments[making.count] = NULL;
    if (!making.is_bad_address)
        return making.arguments;
    *outcome = outcome_permanent(550, 1, 3, "bad address syntax: it begins with a hyphen");
    return NULL;
}

struct span pipe_arguments_sender(const struct pipe_rules *rules,
                                  const struct agent_message *message)
{
    const struct span reverse_path = message->envelope.reverse_path;
    return span_is_empty(reverse_path) ? rules->command->null_sender : reverse_path;
}

const char *const *pipe_environment_make(const struct conf_pipe *settings, char *const *inherited,
                                         struct arena *arena)
{
    size_t count;
    return (const char *const *)environment_export(
        settings->export_environment, settings->config_directory, inherited, 0, arena, &count);
}
