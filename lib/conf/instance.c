/* conf/instance - the whole configuration of one instance. */
#include "conf/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "conf/defaults.h"
#include "conf/known.h"
#include "conf/networks.h"
#include "conf/private.h"
#include "conf/templates.h"

static bool read_file(struct span path, struct arena *arena, struct span *text,
                      struct conf_notices *notices)
{
    const char *name = arena_string(arena, path);
    const int fd = name ? open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    const bool is_read = fd >= 0 && conf_read_descriptor(fd, CONF_SETTINGS_MAX_BYTES, arena, text);
    if (!is_read)
        conf_notice_add(notices, CONF_NOTICE_ERROR, "open %.*s: %s", SPAN_PRINTF(path),
                        strerror(errno));
    if (fd >= 0)
        (void)close(fd); /* only read from */
    return is_read;
}

bool conf_instance_read(const char *directory, bool needs_master, struct arena *arena,
                        struct conf_instance *instance, struct conf_notices *notices)
{
    const size_t errors_before = notices->error_count;
    struct span text;

    *instance = (struct conf_instance){.arena = arena};
    instance->directory = arena_copy(arena, span_from_string(directory));
    if (!conf_host_discover(arena, &instance->host))
        conf_notice_add(notices, CONF_NOTICE_ERROR,
                        "cannot ask the system for its name and addresses: %s", strerror(errno));
    const struct span main_path = arena_format(arena, "%s/main.cf", directory);
    const struct span master_path = arena_format(arena, "%s/master.cf", directory);
    if (!instance->directory.bytes || !main_path.bytes || !master_path.bytes) {
        conf_notice_add(notices, CONF_NOTICE_ERROR, "out of memory");
        return false;
    }
    const bool main_is_ok = read_file(main_path, arena, &text, notices) &&
                            conf_main_parse(text, main_path, arena, &instance->main, notices);
    const bool master_is_ok =
        !needs_master || (read_file(master_path, arena, &text, notices) &&
                          conf_master_parse(text, master_path, arena, &instance->master, notices));
    return main_is_ok && master_is_ok && notices->error_count == errors_before;
}

bool conf_instance_parse(struct span main_text, struct span master_text,
                         const struct conf_host *host, struct arena *arena,
                         struct conf_instance *instance, struct conf_notices *notices)
{
    *instance = (struct conf_instance){.arena = arena, .directory = SPAN("/etc/posthouse")};
    instance->host = *host;
    const bool main_is_ok =
        conf_main_parse(main_text, SPAN("main.cf"), arena, &instance->main, notices);
    return conf_master_parse(master_text, SPAN("master.cf"), arena, &instance->master, notices) &&
           main_is_ok;
}

static const struct conf_override *find_override(const struct conf_service *service,
                                                 struct span name)
{
    const struct conf_override *found = NULL;
    for (size_t i = 0; service && i < service->override_count; i++)
        if (span_equals(service->overrides[i].name, name))
            found = &service->overrides[i]; /* the last one counts */
    return found;
}

bool conf_place_is_set(const struct conf_place *place, struct span name, struct span *value)
{
    const struct conf_override *override = find_override(place->service, name);
    const struct conf_entry *entry = conf_main_find(&place->instance->main, name);
    if (!override && !entry)
        return false;
    *value = override ? override->value : entry->value;
    return true;
}

/* Names that belong to no part and come from where we are. */
static bool find_builtin(const struct conf_place *place, struct span name,
                         struct conf_definition *definition)
{
    if (span_equals(name, SPAN("config_directory")))
        definition->text = place->instance->directory;
    else if (span_equals(name, SPAN("service_name")))
        definition->text = place->service ? conf_service_name(place->service) : span_empty();
    else if (span_equals(name, SPAN("process_name")))
        definition->text = place->service ? place->service->program : SPAN("postconf");
    else
        return false;
    definition->is_literal = true;
    return true;
}

static bool find_default(const struct conf_instance *instance, struct span name,
                         struct conf_definition *definition)
{
    struct span transport;
    const struct conf_parameter *parameter = conf_parameter_find(name, &transport);
    const struct conf_known *known = parameter ? NULL : conf_known_find(name);
    definition->is_literal = false;
    if (span_equals(name, SPAN("stress"))) {
        definition->text = instance->is_stressed ? SPAN("yes") : span_empty();
        return true;
    }
    if (!parameter && !known)
        return false;
    definition->text = span_from_string(parameter ? parameter->default_text : known->default_text);
    return true;
}

bool conf_place_find(void *context, struct span name, struct conf_definition *definition)
{
    const struct conf_place *place = context;
    definition->is_literal = false;
    return find_builtin(place, name, definition) ||
           conf_place_is_set(place, name, &definition->text) ||
           conf_compute_default(place, name, definition) ||
           find_default(place->instance, name, definition);
}

bool conf_instance_find(const struct conf_instance *instance, const struct conf_service *service,
                        struct span name, struct conf_definition *definition)
{
    struct conf_place place = {instance, service, 0};
    definition->is_literal = false;
    if (conf_place_is_set(&place, name, &definition->text))
        return true;
    return conf_place_find(&place, name, definition);
}

bool conf_instance_expand(const struct conf_instance *instance, const struct conf_service *service,
                          struct span text, struct buffer *output, struct conf_error *error)
{
    struct conf_place place = {instance, service, 0};
    const struct conf_scope scope = {.find = conf_place_find, .context = &place};
    return conf_expand(text, &scope, output, error);
}

struct span conf_instance_origin(const struct conf_instance *instance,
                                 const struct conf_service *service, struct span name)
{
    const struct conf_entry *entry = conf_main_find(&instance->main, name);
    struct span text = SPAN("default");
    if (find_override(service, name))
        text = arena_format(instance->arena, "%.*s, line %u: -o",
                            SPAN_PRINTF(instance->master.file), service->line);
    else if (entry)
        text = arena_format(instance->arena, "%.*s, line %u:", SPAN_PRINTF(instance->main.file),
                            entry->line);
    return text.bytes ? text : SPAN("configuration:");
}

bool conf_instance_value(const struct conf_instance *instance, const struct conf_service *service,
                         struct span name, struct buffer *output, struct conf_error *error)
{
    struct conf_definition definition = {.text = span_empty()};
    struct conf_error reason;

    if (!conf_instance_find(instance, service, name, &definition))
        return true; /* nobody knows it: empty */
    if (definition.is_literal || conf_is_raw(name)) {
        buffer_append_span(output, definition.text);
        return true;
    }
    if (conf_instance_expand(instance, service, definition.text, output, &reason))
        return true;
    conf_error_set(error, "%.*s %.*s = %.*s: %s",
                   SPAN_PRINTF(conf_instance_origin(instance, service, name)), SPAN_PRINTF(name),
                   SPAN_PRINTF(span_first(definition.text, 100)), reason.text);
    return false;
}

/* Lists of clients are handed out without files and tables in them. */
static bool expand_clients(const struct conf_instance *instance, const struct conf_service *service,
                           const struct conf_parameter *parameter, struct buffer *value,
                           struct conf_error *error)
{
    const struct conf_place place = {instance, service, 0};
    struct buffer expanded;
    if (parameter->content != CONF_CONTENT_NETWORKS && parameter->content != CONF_CONTENT_CLIENTS)
        return true;
    buffer_init(&expanded, NULL, CONF_SETTINGS_MAX_BYTES);
    const bool is_ok = conf_networks_expand(&place, buffer_span(value), &expanded, error);
    if (is_ok) {
        buffer_reset(value);
        value->limit = CONF_SETTINGS_MAX_BYTES;
        buffer_append_span(value, buffer_span(&expanded));
    }
    buffer_release(&expanded);
    return is_ok;
}

bool conf_instance_checked_value(const struct conf_instance *instance,
                                 const struct conf_service *service,
                                 const struct conf_parameter *parameter, struct span name,
                                 struct buffer *output, struct conf_notices *notices)
{
    struct conf_error error;

    /* A default can only be wrong because of what it refers to, and that has been noted. */
    const struct conf_place place = {instance, service, 0};
    struct span ignored;
    const bool is_noted = notices->error_count > 0 && !conf_place_is_set(&place, name, &ignored);

    if (!conf_instance_value(instance, service, name, output, &error)) {
        if (!is_noted)
            conf_notice_add(notices, CONF_NOTICE_ERROR, "%s", error.text);
        return false;
    }
    if (expand_clients(instance, service, parameter, output, &error) &&
        conf_parameter_accepts(parameter, buffer_span(output), &error))
        return true;
    if (is_noted)
        return false;
    conf_notice_add(notices, CONF_NOTICE_ERROR, "%.*s %.*s = %.*s: %s",
                    SPAN_PRINTF(conf_instance_origin(instance, service, name)), SPAN_PRINTF(name),
                    SPAN_PRINTF(span_first(buffer_span(output), 100)), error.text);
    return false;
}

/* The content of the file that the setting names, in the file's place. */
static bool take_templates(const struct conf_instance *instance, const struct conf_service *service,
                           struct buffer *value, struct conf_notices *notices)
{
    struct buffer text;
    struct conf_error error;
    const struct span path = buffer_span(value);
    const struct span origin =
        conf_instance_origin(instance, service, SPAN("bounce_template_file"));
    if (path.length > 0 && path.bytes[0] != '/') { /* master is not where the operator was */
        conf_notice_add(notices, CONF_NOTICE_ERROR,
                        "%.*s bounce_template_file = %.*s: a path from / on is allowed",
                        SPAN_PRINTF(origin), SPAN_PRINTF(path));
        return false;
    }
    buffer_init(&text, NULL, CONF_TEXT_MAX);
    const bool is_ok =
        conf_templates_render(instance, service, buffer_span(value), true, &text, &error);
    buffer_reset(value);
    if (is_ok)
        conf_templates_escape(buffer_span(&text), value);
    else
        conf_notice_add(notices, CONF_NOTICE_ERROR, "%.*s %s", SPAN_PRINTF(origin), error.text);
    buffer_release(&text);
    return is_ok;
}

/* One "line_name = value" with the value of name, checked. */
static bool append_setting(const struct conf_instance *instance, const struct conf_service *service,
                           const struct conf_parameter *parameter, struct span name,
                           struct span line_name, struct buffer *output,
                           struct conf_notices *notices)
{
    struct buffer value;

    buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
    bool is_ok = conf_instance_checked_value(instance, service, parameter, name, &value, notices);
    if (is_ok && parameter->content == CONF_CONTENT_TEMPLATES)
        is_ok = take_templates(instance, service, &value, notices);
    if (is_ok) {
        buffer_append_span(output, line_name);
        buffer_append_string(output, " = ");
        buffer_append_span(output, buffer_span(&value));
        buffer_append_byte(output, '\n');
    }
    buffer_release(&value);
    return is_ok;
}

static bool append_each_service(const struct conf_instance *instance,
                                const struct conf_parameter *parameter, struct buffer *output,
                                struct conf_notices *notices)
{
    buffer_append_format(output, "%s = ", parameter->name);
    const bool is_ok = conf_each_service_render(instance, parameter, output, notices);
    buffer_append_byte(output, '\n');
    return is_ok;
}

/* Who adds lines for a family: every transport that sets it, and those with a default of their own.
 */
struct family_writer {
    const struct conf_instance *instance;
    const struct conf_service *service;
    const struct conf_parameter *suffix;
    struct buffer *output;
    struct conf_notices *notices;
    bool is_ok;
};

static void append_member(struct family_writer *writer, struct span name)
{
    struct span transport;
    const struct conf_parameter *row = conf_parameter_find(name, &transport);
    if (!row || row->family == CONF_FAMILY_NONE ||
        !span_equals(span_from_string(row->name), span_from_string(writer->suffix->name)))
        return; /* a name of its own that ends the same */
    const struct span line_name = arena_format(writer->instance->arena, "%.*s/%s",
                                               SPAN_PRINTF(transport), writer->suffix->name);
    if (!line_name.bytes || !append_setting(writer->instance, writer->service, writer->suffix, name,
                                            line_name, writer->output, writer->notices))
        writer->is_ok = false;
}

/* The default of the suffix, checked like a value. */
static void append_family_default(struct family_writer *writer)
{
    struct buffer value;
    struct conf_error error;

    buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
    if (!conf_instance_expand(writer->instance, writer->service,
                              span_from_string(writer->suffix->default_text), &value, &error) ||
        !conf_parameter_accepts(writer->suffix, buffer_span(&value), &error)) {
        if (writer->notices->error_count == 0) /* else the value that it refers to is noted */
            conf_notice_add(writer->notices, CONF_NOTICE_ERROR, "%s = %.*s: %s",
                            writer->suffix->default_text, SPAN_PRINTF(buffer_span(&value)),
                            error.text);
        writer->is_ok = false;
    } else {
        buffer_append_format(writer->output, "/%s = %.*s\n", writer->suffix->name,
                             SPAN_PRINTF(buffer_span(&value)));
    }
    buffer_release(&value);
}

static bool append_family(const struct conf_instance *instance, const struct conf_service *service,
                          const struct conf_part *part, const struct conf_parameter *suffix,
                          struct buffer *output, struct conf_notices *notices)
{
    struct family_writer writer = {instance, service, suffix, output, notices, true};

    append_family_default(&writer);
    for (size_t i = 0; i < instance->main.entry_count; i++)
        append_member(&writer, instance->main.entries[i].name);
    for (size_t i = 0; service && i < service->override_count; i++)
        if (!conf_main_find(&instance->main, service->overrides[i].name) &&
            find_override(service, service->overrides[i].name) == &service->overrides[i])
            append_member(&writer, service->overrides[i].name);
    for (size_t i = 0; i < part->parameter_count; i++) {
        const struct conf_parameter *row = &part->parameters[i];
        struct conf_place place = {instance, service, 0};
        struct span ignored;
        if (row->family != CONF_FAMILY_MEMBER || strcmp(row->name, suffix->name) != 0)
            continue;
        const struct span name = arena_format(instance->arena, "%s_%s", row->transport, row->name);
        if (name.bytes && !conf_place_is_set(&place, name, &ignored))
            append_member(&writer, name);
    }
    return writer.is_ok;
}

bool conf_instance_settings(const struct conf_instance *instance,
                            const struct conf_service *service, const struct conf_part *part,
                            struct buffer *output, struct conf_notices *notices)
{
    bool is_ok = true;
    for (size_t i = 0; i < part->parameter_count; i++) {
        const struct conf_parameter *parameter = &part->parameters[i];
        const struct span name = span_from_string(parameter->name);
        if (parameter->programs)
            is_ok = append_each_service(instance, parameter, output, notices) && is_ok;
        else if (parameter->family == CONF_FAMILY_SUFFIX)
            is_ok = append_family(instance, service, part, parameter, output, notices) && is_ok;
        else if (parameter->family == CONF_FAMILY_NONE)
            is_ok =
                append_setting(instance, service, parameter, name, name, output, notices) && is_ok;
    }
    if (is_ok && !buffer_ok(output)) {
        conf_notice_add(notices, CONF_NOTICE_ERROR, "settings of %s: too large", part->name);
        is_ok = false;
    }
    return is_ok;
}

bool conf_instance_load(const struct conf_instance *instance, const struct conf_service *service,
                        const struct conf_part *part, struct arena *arena, void *settings,
                        struct conf_notices *notices)
{
    struct buffer text;
    struct conf_error error;
    bool is_ok = false;

    buffer_init(&text, NULL, CONF_SETTINGS_MAX_BYTES);
    if (conf_instance_settings(instance, service, part, &text, notices)) {
        is_ok = conf_load_text(part, buffer_span(&text), arena, settings, &error);
        if (!is_ok)
            conf_notice_add(notices, CONF_NOTICE_ERROR, "%s", error.text);
    }
    buffer_release(&text);
    return is_ok;
}

bool conf_test_settings(const struct conf_part *part, const char *main_text, struct arena *arena,
                        void *settings, struct conf_error *error)
{
    struct conf_interface loopback = {.address = {127, 0, 0, 1}, .prefix_bits = 8};
    const struct conf_host host = {SPAN("test.example.org"), &loopback, 1};
    struct conf_instance instance;
    struct conf_notices notices;

    conf_notices_init(&notices, arena);
    if (conf_instance_parse(span_from_string(main_text), span_empty(), &host, arena, &instance,
                            &notices) &&
        conf_instance_load(&instance, NULL, part, arena, settings, &notices))
        return true;
    conf_error_set(error, "%s", notices.first ? notices.first->text : "out of memory");
    return false;
}
