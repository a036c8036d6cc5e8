/* conf/templates - see templates.h. */
#include "conf/templates.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "conf/defaults.h"
#include "conf/private.h"
#include "conf/value.h"

/* ---- $name in texts ---- */

struct scope {
    struct conf_place place;
    struct arena *arena;
};

/* $delay_warning_time_hours: the time in whole hours, never more than it is. */
static bool find_in_unit(const struct scope *scope, struct span name,
                         struct conf_definition *definition)
{
    static const struct {
        const char *suffix;
        int64_t unit_ms;
    } units[] = {{"_seconds", 1000},
                 {"_minutes", 60 * 1000},
                 {"_hours", 3600 * 1000},
                 {"_days", 24 * 3600 * 1000},
                 {"_weeks", 7 * 24 * 3600 * 1000}};
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        const struct span suffix = span_from_string(units[i].suffix);
        if (!span_ends_with(name, suffix))
            continue;
        const struct span base = span_first(name, name.length - suffix.length);
        const struct conf_parameter *row = conf_parameter_for_value(base);
        struct buffer value;
        struct conf_error error;
        int64_t time_ms;
        if (!row || row->type != CONF_TYPE_TIME)
            return false;
        buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
        const bool is_time = conf_instance_value(scope->place.instance, scope->place.service, base,
                                                 &value, &error) &&
                             conf_value_parse_time(buffer_span(&value), row->unit, &time_ms);
        buffer_release(&value);
        definition->text =
            !is_time ? span_empty()
                     : arena_format(scope->arena, "%lld", (long long)(time_ms / units[i].unit_ms));
        definition->is_literal = true;
        return is_time;
    }
    return false;
}

static bool find(void *context, struct span name, struct conf_definition *definition)
{
    struct scope *scope = context;
    return conf_place_find(&scope->place, name, definition) ||
           find_in_unit(scope, name, definition);
}

static bool expand_all(const struct conf_instance *instance, const struct conf_service *service,
                       struct dsn_templates *templates, struct conf_error *error)
{
    struct scope scope = {{instance, service, 0}, instance->arena};
    const struct conf_scope names = {.find = find, .context = &scope};
    for (size_t i = 0; i < DSN_KIND_COUNT; i++) {
        struct buffer text;
        struct conf_error reason;
        buffer_init(&text, instance->arena, CONF_EXPAND_MAX_BYTES);
        if (!conf_expand(templates->of[i].body, &names, &text, &reason)) {
            conf_error_set(error, "%s: %s", dsn_template_name((enum dsn_kind)i), reason.text);
            return false;
        }
        templates->of[i].body = buffer_span(&text);
    }
    return true;
}

/* ---- the file ---- */

static bool read_file(const struct conf_instance *instance, struct span path, struct span *text,
                      struct conf_error *error)
{
    const char *name = arena_string(instance->arena, path);
    const int fd = name ? open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
    const bool is_read =
        fd >= 0 && conf_read_descriptor(fd, DSN_TEMPLATES_MAX_BYTES, instance->arena, text);
    const int problem = name ? errno : ENOMEM;
    if (fd >= 0)
        (void)close(fd); /* only read from */
    if (!is_read)
        conf_error_set(error, "bounce_template_file %.*s: %s", SPAN_PRINTF(path),
                       strerror(problem));
    return is_read;
}

bool conf_templates_render(const struct conf_instance *instance, const struct conf_service *service,
                           struct span path, bool is_expanded, struct buffer *output,
                           struct conf_error *error)
{
    struct dsn_templates templates;
    struct dsn_template_error mistake;
    struct conf_error reason;
    struct span text = span_empty();
    dsn_templates_default(&templates);
    if (!span_is_empty(path)) {
        if (!read_file(instance, path, &text, error))
            return false;
        if (dsn_templates_parse(text, &templates, &mistake) != PARSE_OK) {
            conf_error_set(error, "%.*s, line %zu: %s", SPAN_PRINTF(path), mistake.line,
                           mistake.reason);
            return false;
        }
    }
    if (is_expanded && !expand_all(instance, service, &templates, &reason)) {
        conf_error_set(error, "%.*s, %s", SPAN_PRINTF(path), reason.text);
        return false;
    }
    const size_t start = output->length;
    dsn_templates_append(&templates, output);
    /* What was put in for $name may break the rules of the format, too. */
    dsn_templates_default(&templates);
    if (buffer_ok(output) && dsn_templates_parse(span_after(buffer_span(output), start), &templates,
                                                 &mistake) == PARSE_OK)
        return true;
    conf_error_set(error, "%.*s: with $name replaced a template cannot be used: %s",
                   SPAN_PRINTF(path), buffer_ok(output) ? mistake.reason : "it is too large");
    return false;
}

/* ---- on one line ---- */

void conf_templates_escape(struct span text, struct buffer *output)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] == '\n')
            buffer_append_string(output, "\\n");
        else if (text.bytes[i] == '\\')
            buffer_append_string(output, "\\\\");
        else
            buffer_append_byte(output, text.bytes[i]);
    }
}

bool conf_templates_load(struct span setting, struct arena *arena, struct dsn_templates *templates)
{
    struct dsn_template_error mistake;
    struct buffer text;
    buffer_init(&text, arena, CONF_TEXT_MAX);
    for (size_t i = 0; i < setting.length; i++) {
        const bool is_escape = setting.bytes[i] == '\\' && i + 1 < setting.length;
        i += is_escape;
        buffer_append_byte(&text, is_escape && setting.bytes[i] == 'n' ? '\n' : setting.bytes[i]);
    }
    dsn_templates_default(templates);
    return buffer_ok(&text) &&
           dsn_templates_parse(buffer_span(&text), templates, &mistake) == PARSE_OK;
}
