/* local/attributes - see attributes.h. */
#include "attributes.h"

#include <unistd.h>

#include "address/rewrite.h"
#include "base/ascii.h"
#include "conf/expand.h"
#include "environment.h"

enum { EXPANDED_MAX_BYTES = 4096 };

bool attributes_init(struct attributes *attributes, const struct agent_recipient *recipient,
                     const struct conf_local *settings, struct arena *arena)
{
    struct mailbox mailbox;
    struct span user, extension;
    *attributes = (struct attributes){.recipient = recipient->recipient,
                                      .original_recipient = span_is_empty(recipient->original)
                                                                ? recipient->recipient
                                                                : recipient->original,
                                      .message = recipient->message};
    if (mailbox_parse(recipient->recipient, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, arena,
                      &mailbox) != PARSE_OK)
        return false;
    uint8_t *folded = arena_alloc(arena, mailbox.local_part.length + 1);
    if (!folded)
        return false;
    for (size_t i = 0; i < mailbox.local_part.length; i++)
        folded[i] = ascii_to_lower(mailbox.local_part.bytes[i]);
    attributes->local = span_of(folded, mailbox.local_part.length);
    attributes->domain = mailbox.domain;
    const bool is_split =
        address_split_extension(attributes->local, settings->recipient_delimiter,
                                settings->owner_request_special, &user, &extension);
    attributes->user = user;
    /* An extension with a slash would lead a path somewhere else. */
    if (is_split && span_find_byte(extension, '/') == extension.length) {
        attributes->extension = extension;
        attributes->delimiter = span_between(attributes->local, user.length, user.length + 1);
    }
    for (size_t i = 0; i < user.length; i++)
        if (user.bytes[i] < ' ' || user.bytes[i] == '/' || user.bytes[i] == ':' ||
            user.bytes[i] == 0x7f)
            return false; /* no name in passwd(5) */
    return user.length > 0;
}

bool attributes_complete(const struct conf_local *settings, struct span text, struct arena *arena,
                         struct span *address)
{
    const struct address_completion rules = {.myorigin = settings->myorigin,
                                             .mydomain = settings->mydomain,
                                             .append_at_myorigin = settings->append_at_myorigin,
                                             .append_dot_mydomain = settings->append_dot_mydomain};
    struct mailbox mailbox, completed;
    if (mailbox_parse(text, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, arena, &mailbox) != PARSE_OK ||
        mailbox_is_null(&mailbox) || !address_complete(&rules, &mailbox, arena, &completed))
        return false;
    *address = completed.text;
    return true;
}

/* ---- $name ---- */

struct names {
    const struct attributes *attributes;
    struct span filter;
    struct arena *arena;
    bool has_failed;
};

static struct span filter_text(struct span text, struct span filter, struct arena *arena)
{
    uint8_t *bytes = arena_alloc(arena, text.length + 1);
    if (!bytes)
        return (struct span){NULL, 0};
    for (size_t i = 0; i < text.length; i++) {
        const bool is_permitted =
            span_is_empty(filter) || span_find_byte(filter, text.bytes[i]) < filter.length;
        bytes[i] = is_permitted ? text.bytes[i] : '_';
    }
    return span_of(bytes, text.length);
}

static bool find_name(void *context, struct span name, struct conf_definition *definition)
{
    struct names *names = context;
    const struct attributes *attributes = names->attributes;
    const struct {
        const char *name;
        struct span value;
        bool is_ours; /* from passwd, not from the message */
    } rows[] = {
        {"home", attributes->home, true},
        {"shell", attributes->shell, true},
        {"user", attributes->user, false},
        {"local", attributes->local, false},
        {"domain", attributes->domain, false},
        {"recipient", attributes->recipient, false},
        {"extension", attributes->extension, false},
        {"recipient_delimiter", attributes->delimiter, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (!span_equals(name, span_from_string(rows[i].name)))
            continue;
        definition->is_literal = true;
        definition->text = rows[i].is_ours
                               ? rows[i].value
                               : filter_text(rows[i].value, names->filter, names->arena);
        names->has_failed = names->has_failed || !definition->text.bytes;
        return !span_is_empty(definition->text);
    }
    return false;
}

enum attributes_expansion attributes_expand(const struct attributes *attributes, struct span text,
                                            struct span filter, struct arena *arena,
                                            struct span *result)
{
    struct names names = {.attributes = attributes, .filter = filter, .arena = arena};
    size_t undefined_count = 0;
    const struct conf_scope scope = {
        .find = find_name, .context = &names, .undefined_count = &undefined_count};
    struct conf_error error;
    struct buffer out;
    buffer_init(&out, arena, EXPANDED_MAX_BYTES);
    if (!conf_expand(text, &scope, &out, &error) || names.has_failed || !buffer_ok(&out))
        return ATTRIBUTES_HAS_NO_MEANING;
    *result = buffer_span(&out);
    return undefined_count > 0 ? ATTRIBUTES_HAVE_GAPS : ATTRIBUTES_EXPANDED;
}

/* ---- the environment ---- */

struct environment {
    const char **values;
    size_t count;
    bool has_failed;
    struct span filter;
    struct arena *arena;
};

/* What is not there is not mentioned. Somebody on the network has written most of it. */
static void put(struct environment *environment, const char *name, struct span value)
{
    if (span_is_empty(value))
        return;
    const struct span clean = filter_text(value, environment->filter, environment->arena);
    const struct span text =
        clean.bytes ? arena_format(environment->arena, "%s=%.*s", name, SPAN_PRINTF(clean)) : clean;
    char *copy = text.bytes ? arena_string(environment->arena, text) : NULL;
    if (copy)
        environment->values[environment->count++] = copy;
    else
        environment->has_failed = true;
}

const char *const *attributes_environment(const struct attributes *attributes,
                                          const struct conf_local *settings, struct arena *arena)
{
    const struct queue_envelope *envelope = &attributes->message->envelope;
    const struct {
        const char *name;
        struct span value;
    } rows[] = {
        {"HOME", attributes->home},
        {"SHELL", attributes->shell},
        {"USER", attributes->user},
        {"LOGNAME", attributes->user},
        {"EXTENSION", attributes->extension},
        {"DOMAIN", attributes->domain},
        {"LOCAL", attributes->local},
        {"RECIPIENT", attributes->recipient},
        {"ORIGINAL_RECIPIENT", attributes->original_recipient},
        {"SENDER",
         span_is_empty(envelope->reverse_path) ? SPAN("MAILER-DAEMON") : envelope->reverse_path},
        {"CLIENT_ADDRESS", envelope->client_address},
        {"CLIENT_HELO", envelope->helo},
        {"CLIENT_HOSTNAME", envelope->client_name},
        {"CLIENT_PROTOCOL", envelope->protocol},
        {"SASL_METHOD", envelope->sasl_method},
        {"SASL_SENDER", envelope->sasl_sender},
        {"SASL_USERNAME", envelope->sasl_username},
        {"ENVID", envelope->envid},
    };
    struct environment environment = {.filter = settings->command_expansion_filter, .arena = arena};
    environment.values =
        environment_export(settings->export_environment, settings->config_directory, environ,
                           ARRAY_LENGTH(rows), arena, &environment.count);
    if (!environment.values)
        return NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        put(&environment, rows[i].name, rows[i].value);
    environment.values[environment.count] = NULL;
    return environment.has_failed ? NULL : environment.values;
}
