/* local/attributes - see attributes.h. */
#include "attributes.h"

#include <paths.h>
#include <stdlib.h>

#include "address/rewrite.h"
#include "base/ascii.h"
#include "conf/expand.h"

enum { ENVIRONMENT_MAX = 100, EXPANDED_MAX_BYTES = 4096 };

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

/* ---- $name ---- */

struct names {
    const struct attributes *attributes;
    struct span filter;
    struct arena *arena;
    bool is_filtered;
    bool has_failed;
};

static struct span filter_text(struct span text, struct span filter, struct arena *arena,
                               bool *is_filtered)
{
    uint8_t *bytes = arena_alloc(arena, text.length + 1);
    if (!bytes)
        return (struct span){NULL, 0};
    for (size_t i = 0; i < text.length; i++) {
        const bool is_permitted =
            span_is_empty(filter) || span_find_byte(filter, text.bytes[i]) < filter.length;
        bytes[i] = is_permitted ? text.bytes[i] : '_';
        *is_filtered = *is_filtered || !is_permitted;
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
        definition->text = rows[i].is_ours ? rows[i].value
                                           : filter_text(rows[i].value, names->filter, names->arena,
                                                         &names->is_filtered);
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
    const struct conf_scope scope = {.find = find_name, .context = &names};
    struct conf_error error;
    struct buffer out;
    buffer_init(&out, arena, EXPANDED_MAX_BYTES);
    if (!conf_expand(text, &scope, &out, &error) || names.has_failed || !buffer_ok(&out))
        return ATTRIBUTES_HAS_NO_MEANING;
    *result = buffer_span(&out);
    return names.is_filtered ? ATTRIBUTES_FILTERED : ATTRIBUTES_EXPANDED;
}

/* ---- the environment ---- */

struct environment {
    const char **values;
    size_t count;
    bool has_failed;
    struct span filter;
    struct arena *arena;
};

static void put(struct environment *environment, const char *name, struct span value)
{
    const struct span text = arena_format(environment->arena, "%s=%.*s", name, SPAN_PRINTF(value));
    char *copy = text.bytes ? arena_string(environment->arena, text) : NULL;
    if (!copy || environment->count >= ENVIRONMENT_MAX)
        environment->has_failed = true;
    else
        environment->values[environment->count++] = copy;
}

/* What somebody on the network has written. */
static void put_filtered(struct environment *environment, const char *name, struct span value)
{
    bool is_filtered = false;
    const struct span clean =
        filter_text(value, environment->filter, environment->arena, &is_filtered);
    if (clean.bytes)
        put(environment, name, clean);
    else
        environment->has_failed = true;
}

static void put_exported(struct environment *environment, struct span names)
{
    for (struct span word; span_next_word(&names, ", \t\r\n", &word);) {
        char *text = arena_string(environment->arena, word);
        const size_t equals = span_find_byte(word, '=');
        if (!text) {
            environment->has_failed = true;
        } else if (equals < word.length) {
            text[equals] = '\0';
            put(environment, text, span_after(word, equals + 1));
        } else if (getenv(text)) {
            put(environment, text, span_from_string(getenv(text)));
        }
    }
}

const char *const *attributes_environment(const struct attributes *attributes,
                                          const struct conf_local *settings, struct arena *arena)
{
    const struct queue_envelope *envelope = &attributes->message->envelope;
    struct environment environment = {
        .values = arena_alloc(arena, (ENVIRONMENT_MAX + 1) * sizeof(char *)),
        .filter = settings->command_expansion_filter,
        .arena = arena};
    const struct span sender =
        span_is_empty(envelope->reverse_path) ? SPAN("MAILER-DAEMON") : envelope->reverse_path;
    if (!environment.values)
        return NULL;
    put(&environment, "PATH", SPAN(_PATH_DEFPATH));
    put_exported(&environment, settings->export_environment);
    put(&environment, "SHELL",
        span_is_empty(attributes->shell) ? SPAN("/bin/sh") : attributes->shell);
    put(&environment, "HOME", span_is_empty(attributes->home) ? SPAN("/") : attributes->home);
    put(&environment, "USER", attributes->login);
    put(&environment, "LOGNAME", attributes->login);
    const struct {
        const char *name;
        struct span value;
    } rows[] = {
        {"EXTENSION", attributes->extension},
        {"DOMAIN", attributes->domain},
        {"LOCAL", attributes->local},
        {"RECIPIENT", attributes->recipient},
        {"ORIGINAL_RECIPIENT", attributes->original_recipient},
        {"SENDER", sender},
        {"CLIENT_ADDRESS", envelope->client_address},
        {"CLIENT_HELO", envelope->helo},
        {"CLIENT_HOSTNAME", envelope->client_name},
        {"CLIENT_PROTOCOL", envelope->protocol},
        {"SASL_METHOD", envelope->sasl_method},
        {"SASL_SENDER", envelope->sasl_sender},
        {"SASL_USERNAME", envelope->sasl_username},
        {"ENVID", envelope->envid},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        put_filtered(&environment, rows[i].name, rows[i].value);
    return environment.has_failed ? NULL : environment.values;
}
