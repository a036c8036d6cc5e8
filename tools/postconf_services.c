/* tools/postconf_services - master.cf: whole services (-M), their columns (-F), their -o
 * parameters (-P). */
#include "postconf.h"

void postconf_parse_pattern(struct postconf_pattern *pattern, struct span text)
{
    struct span rest;
    (void)span_split_once(text, '/', &pattern->name, &rest); /* without a sign rest is empty */
    (void)span_split_once(rest, '/', &pattern->type, &pattern->item);
}

static bool matches(struct span pattern, struct span text)
{
    return span_is_empty(pattern) || span_equals(pattern, SPAN("*")) || span_equals(pattern, text);
}

bool postconf_matches_service(const struct postconf_pattern *pattern,
                              const struct conf_service *service)
{
    return matches(pattern->name, conf_service_name(service)) &&
           matches(pattern->type, service->columns[CONF_COLUMN_TYPE]);
}

size_t postconf_find_field(struct span name)
{
    size_t i = 0;
    while (i < POSTCONF_FIELD_COUNT && !span_equals(name, span_from_string(conf_service_fields[i])))
        i++;
    if (i == POSTCONF_FIELD_COUNT)
        postconf_fatal("invalid service attribute name: \"%.*s\"", SPAN_PRINTF(name));
    return i;
}

/* ---- values ---- */

static struct span expand_value(void *context, const struct conf_service *service, struct span text)
{
    struct postconf *postconf = context;
    struct buffer value;
    struct conf_error error;

    buffer_init(&value, &postconf->arena, CONF_EXPAND_MAX_BYTES);
    if (!conf_instance_expand(&postconf->instance, service, text, &value, &error))
        postconf_fatal("%.*s, line %u: %s", SPAN_PRINTF(postconf->instance.master.file),
                       service->line, error.text);
    return buffer_span(&value);
}

/* "name/type/item" as output names it. */
static struct span name_of(struct postconf *postconf, const struct conf_service *service,
                           struct span item)
{
    const struct span name =
        arena_format(&postconf->arena, "%.*s/%.*s/%.*s", SPAN_PRINTF(conf_service_name(service)),
                     SPAN_PRINTF(service->columns[CONF_COLUMN_TYPE]), SPAN_PRINTF(item));
    if (!name.bytes)
        postconf_fatal("out of memory");
    return name;
}

/* ---- listing; each returns whether something was shown ---- */

static bool list_fields(struct postconf *postconf, const struct conf_service *service,
                        struct span wanted, const struct conf_print_values *values)
{
    bool is_shown = false;
    for (size_t i = 0; i < POSTCONF_FIELD_COUNT; i++) {
        const struct span field = span_from_string(conf_service_fields[i]);
        if (!matches(wanted, field))
            continue;
        const struct span name = name_of(postconf, service, field);
        if (i < CONF_COLUMN_COUNT)
            conf_print_setting(name, service->columns[i], postconf->print_flags, &postconf->output);
        else
            conf_print_command_setting(name, service, postconf->print_flags, values,
                                       &postconf->output);
        is_shown = true;
    }
    return is_shown;
}

static bool is_last_of_its_name(const struct conf_service *service, size_t index)
{
    for (size_t i = index + 1; i < service->override_count; i++)
        if (span_equals(service->overrides[i].name, service->overrides[index].name))
            return false;
    return true;
}

static bool list_parameters(struct postconf *postconf, const struct conf_service *service,
                            struct span wanted, const struct conf_print_values *values)
{
    /* Sorted by name, by choosing the next one each time: there are few. */
    struct span last = span_empty();
    bool is_shown = false;
    for (;;) {
        const struct conf_override *next = NULL;
        for (size_t i = 0; i < service->override_count; i++) {
            const struct conf_override *override = &service->overrides[i];
            if (matches(wanted, override->name) && is_last_of_its_name(service, i) &&
                span_compare(override->name, last) > 0 &&
                (!next || span_compare(override->name, next->name) < 0))
                next = override;
        }
        if (!next)
            return is_shown;
        const struct span value =
            values ? values->value(values->context, service, next->value) : next->value;
        conf_print_setting(name_of(postconf, service, next->name), value, postconf->print_flags,
                           &postconf->output);
        last = next->name;
        is_shown = true;
    }
}

static bool list_matching(struct postconf *postconf, char kind,
                          const struct postconf_pattern *pattern,
                          const struct conf_print_values *values)
{
    const struct conf_master *master = &postconf->instance.master;
    bool is_shown = false;
    for (size_t i = 0; i < master->service_count; i++) {
        const struct conf_service *service = &master->services[i];
        if (!postconf_matches_service(pattern, service))
            continue;
        if (kind == 'M') {
            conf_print_service(service, postconf->print_flags, values, &postconf->output);
            is_shown = true;
        } else if (kind == 'F') {
            is_shown = list_fields(postconf, service, pattern->item, values) || is_shown;
        } else {
            is_shown = list_parameters(postconf, service, pattern->item, values) || is_shown;
        }
    }
    return is_shown;
}

void postconf_list_services(struct postconf *postconf, char kind, char **patterns,
                            size_t pattern_count)
{
    const struct conf_print_values expanding = {expand_value, postconf};
    const struct conf_print_values *values = postconf->expands ? &expanding : NULL;

    if (pattern_count == 0) {
        const struct postconf_pattern all = {span_empty(), span_empty(), span_empty()};
        (void)list_matching(postconf, kind, &all, values); /* an empty file is no mistake */
    }
    for (size_t i = 0; i < pattern_count; i++) {
        struct postconf_pattern pattern;
        postconf_parse_pattern(&pattern, span_from_string(patterns[i]));
        if (kind == 'M' && (span_is_empty(pattern.name) || !span_is_empty(pattern.item)))
            postconf_fatal("-M option requires service_name[/type]");
        if (kind == 'F' && !span_is_empty(pattern.item) && !span_equals(pattern.item, SPAN("*")))
            (void)!postconf_find_field(pattern.item); /* ends the program when there is none */
        if (!list_matching(postconf, kind, &pattern, values))
            postconf_warn("unmatched request: \"%s\"", patterns[i]);
    }
}
