/* conf/check - what an operator should know about a configuration before it is used. */
#include "conf/check.h"
#include "conf/private.h"

#include "conf/known.h"
#include "conf/shapes.h"
#include "conf/suggest.h"
#include "conf/usage.h"

struct checking {
    struct conf_instance *instance;
    const struct conf_value_check *value_check;
    struct conf_notices *notices;
};

/* ---- names ---- */

/* "; did you mean NAME?", or nothing. */
static struct span describe_suggestion(const struct checking *checking, struct span name)
{
    const struct span meant = conf_suggest_name(checking->instance, name);
    if (span_is_empty(meant))
        return span_empty();
    const struct span text = arena_format(checking->instance->arena, "; did you mean %.*s?",
                                          SPAN_PRINTF(span_first(meant, 100)));
    return text.bytes ? text : span_empty();
}

static struct span file_of(const struct checking *checking, const struct conf_service *service)
{
    return service ? checking->instance->master.file : checking->instance->main.file;
}

static void note_unused(void *context, const struct conf_service *service, struct span name,
                        struct span value, uint32_t line)
{
    const struct checking *checking = context;
    const struct span shown = span_first(name, 100);
    conf_notice_add(
        checking->notices, CONF_NOTICE_WARNING, "%.*s, line %u: unused parameter: %.*s=%.*s%.*s",
        SPAN_PRINTF(file_of(checking, service)), line, SPAN_PRINTF(shown),
        SPAN_PRINTF(span_first(value, 200)), SPAN_PRINTF(describe_suggestion(checking, name)));
}

static void note_undefined(void *context, const struct conf_service *service, struct span name,
                           uint32_t line)
{
    const struct checking *checking = context;
    const struct span shown = span_first(name, 100);
    conf_notice_add(checking->notices, CONF_NOTICE_WARNING,
                    "%.*s, line %u: undefined parameter: %.*s%.*s",
                    SPAN_PRINTF(file_of(checking, service)), line, SPAN_PRINTF(shown),
                    SPAN_PRINTF(describe_suggestion(checking, name)));
}

/* ---- values ---- */

static void check_built(struct checking *checking, const struct conf_service *service,
                        struct span name)
{
    const struct conf_parameter *parameter = conf_parameter_for_value(name);
    struct buffer value;

    if (!parameter)
        return;
    buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
    if (conf_instance_checked_value(checking->instance, service, parameter, name, &value,
                                    checking->notices)) {
        const struct span origin = conf_instance_origin(checking->instance, service, name);
        const struct conf_shape_question question = {checking->instance, service, name,
                                                     buffer_span(&value), origin};
        conf_shape_check(&question, checking->notices);
        if (checking->value_check)
            checking->value_check->check(checking->value_check->context, parameter, name,
                                         buffer_span(&value), origin, checking->notices);
    }
    buffer_release(&value);
}

static bool expand(struct checking *checking, const struct conf_service *service, struct span text,
                   struct buffer *output)
{
    struct conf_error ignored;
    return conf_instance_expand(checking->instance, service, text, output, &ignored);
}

/* A parameter that is not built. What cannot be expanded is not the default, either. A service
 * that is left out lets nothing in, whatever it would have refused. */
static void check_known(struct checking *checking, const struct conf_service *service,
                        struct span name, struct span text, const struct conf_known *known)
{
    const struct span origin = conf_instance_origin(checking->instance, service, name);
    const bool is_left_out = service && !conf_part_find(service->program);
    struct buffer value, otherwise;

    buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
    buffer_init(&otherwise, NULL, CONF_EXPAND_MAX_BYTES);
    const bool is_expanded =
        expand(checking, service, text, &value) &&
        expand(checking, service, span_from_string(known->default_text), &otherwise);
    const struct span shown = span_first(is_expanded ? buffer_span(&value) : text, 200);
    struct span word = span_empty();
    if (!is_expanded ||
        !conf_known_is_harmless(known, buffer_span(&value), buffer_span(&otherwise), &word)) {
        const bool is_one_of_many = !span_is_empty(word) && !span_equals(word, buffer_span(&value));
        const struct span culprit = is_one_of_many
                                        ? arena_format(checking->instance->arena, "\"%.*s\"",
                                                       SPAN_PRINTF(span_first(word, 100)))
                                        : SPAN("that");
        conf_notice_add(
            checking->notices,
            known->harmless_words && !is_left_out ? CONF_NOTICE_ERROR : CONF_NOTICE_WARNING,
            "%.*s %.*s = %.*s: this release cannot do %.*s, and would let pass what it is to stop; "
            "take %s out to run without it",
            SPAN_PRINTF(origin), SPAN_PRINTF(name), SPAN_PRINTF(shown), SPAN_PRINTF(culprit),
            is_one_of_many ? "the word" : "the setting");
    } else if (!known->harmless_words && !span_equals(buffer_span(&value), buffer_span(&otherwise)))
        conf_notice_add(checking->notices, CONF_NOTICE_WARNING,
                        "%.*s %.*s = %.*s: has no effect in this release", SPAN_PRINTF(origin),
                        SPAN_PRINTF(name), SPAN_PRINTF(shown));
    buffer_release(&otherwise);
    buffer_release(&value);
}

static void check_setting(struct checking *checking, const struct conf_service *service,
                          struct span name, struct span text)
{
    const struct conf_known *known = conf_known_find(name);
    if (known)
        check_known(checking, service, name, text, known);
    else if (conf_name_is_built(checking->instance, name))
        check_built(checking, service, name);
    else if (conf_name_is_known(checking->instance, name))
        conf_notice_add(checking->notices, CONF_NOTICE_WARNING,
                        "%.*s %.*s = %.*s: has no effect in this release",
                        SPAN_PRINTF(conf_instance_origin(checking->instance, service, name)),
                        SPAN_PRINTF(name), SPAN_PRINTF(span_first(text, 200)));
}

static bool is_read_by(const struct conf_part *part, struct span name)
{
    for (size_t i = 0; i < part->parameter_count; i++)
        if (span_equals(name, span_from_string(part->parameters[i].name)))
            return true;
    return false;
}

/* Tables, for instance, are mostly read by a helper of all services, which has no ear for what one
 * of them would like, or else a row that says so. */
static void check_reader(const struct checking *checking, const struct conf_service *service,
                         struct span name)
{
    const struct conf_part *part = conf_part_find(service->program);
    const struct conf_parameter *row = conf_parameter_for_value(name);
    if (part && conf_name_is_built(checking->instance, name) && row && !is_read_by(part, name) &&
        !conf_each_service_is_for(row, service->program))
        conf_notice_add(checking->notices, CONF_NOTICE_WARNING,
                        "%.*s %.*s: has no effect, as %.*s does not read it; set it in main.cf",
                        SPAN_PRINTF(conf_instance_origin(checking->instance, service, name)),
                        SPAN_PRINTF(name), SPAN_PRINTF(service->program));
}

bool conf_check(struct conf_instance *instance, const struct conf_value_check *value_check,
                struct conf_notices *notices)
{
    struct checking checking = {instance, value_check, notices};
    const size_t errors_before = notices->error_count;
    const struct conf_usage usage = {instance, &checking, note_unused, note_undefined};

    for (size_t i = 0; i < instance->main.entry_count; i++)
        check_setting(&checking, NULL, instance->main.entries[i].name,
                      instance->main.entries[i].value);
    for (size_t i = 0; i < instance->master.service_count; i++) {
        const struct conf_service *service = &instance->master.services[i];
        for (size_t n = 0; n < service->override_count; n++)
            check_setting(&checking, service, service->overrides[n].name,
                          service->overrides[n].value);
        for (size_t n = 0; n < service->override_count; n++)
            check_reader(&checking, service, service->overrides[n].name);
    }
    conf_shape_compare(instance, notices);
    conf_usage_report(&usage);
    return notices->error_count == errors_before;
}
