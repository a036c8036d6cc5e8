/* conf/usage - which of the names that a configuration sets anything uses. */
#include "conf/usage.h"

#include "conf/known.h"

bool conf_service_is_transport(const struct conf_service *service)
{
    static const char *const programs[] = {"discard", "error",   "lmtp", "local",
                                           "pipe",    "virtual", "smtp"};
    if (service->type == CONF_SERVICE_INET)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(programs); i++)
        if (span_equals(service->program, span_from_string(programs[i])))
            return true;
    return false;
}

bool conf_has_transport(const struct conf_instance *instance, struct span transport)
{
    const struct conf_master *master = &instance->master;
    for (size_t i = 0; i < master->service_count; i++)
        if (conf_service_is_transport(&master->services[i]) &&
            span_equals(conf_service_name(&master->services[i]), transport))
            return true;
    return master->service_count == 0;
}

bool conf_name_is_built(const struct conf_instance *instance, struct span name)
{
    static const char *const always[] = {"process_name", "service_name", "stress"};
    struct span transport;
    const struct conf_parameter *parameter = conf_parameter_find(name, &transport);

    for (size_t i = 0; i < ARRAY_LENGTH(always); i++)
        if (span_equals(name, span_from_string(always[i])))
            return true;
    return parameter &&
           (parameter->family == CONF_FAMILY_NONE || conf_has_transport(instance, transport));
}

/* Families of Postfix without a row of ours. */
static bool is_known_family(const struct conf_instance *instance, struct span name)
{
    static const char *const suffixes[] = {"_delivery_slot_cost",
                                           "_delivery_slot_discount",
                                           "_delivery_slot_loan",
                                           "_destination_concurrency_negative_feedback",
                                           "_destination_concurrency_positive_feedback",
                                           "_extra_recipient_limit",
                                           "_minimum_delivery_slots",
                                           "_recipient_limit",
                                           "_recipient_refill_delay",
                                           "_recipient_refill_limit"};
    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        const struct span suffix = span_from_string(suffixes[i]);
        if (span_ends_with(name, suffix) &&
            conf_has_transport(instance, span_first(name, name.length - suffix.length)))
            return true;
    }
    return false;
}

bool conf_name_is_known(const struct conf_instance *instance, struct span name)
{
    return conf_known_find(name) != NULL || is_known_family(instance, name);
}

/* ---- references ---- */

/* One pass over all texts in which a name may be mentioned. */
struct text_walk {
    const struct conf_instance *instance;
    const struct conf_service *service; /* whose text it is; NULL: main.cf's, or a default */
    uint32_t line;
    void (*visit)(void *context, struct span name);
    void *context;
};

static void walk_classes(struct text_walk *walk, struct span name, struct span value)
{
    struct span word;
    if (!span_equals(name, SPAN("smtpd_restriction_classes")))
        return;
    while (span_next_word(&value, ", \t\r\n", &word))
        walk->visit(walk->context, word);
}

static void walk_text(struct text_walk *walk, const struct conf_service *service, uint32_t line,
                      struct span name, struct span value)
{
    walk->service = service;
    walk->line = line;
    if (span_is_empty(name) || !conf_is_raw(name)) /* a default has no name here */
        conf_for_each_reference(value, walk->visit, walk->context);
    walk_classes(walk, name, value);
}

static void walk_settings(struct text_walk *walk)
{
    const struct conf_instance *instance = walk->instance;
    for (size_t i = 0; i < instance->main.entry_count; i++) {
        const struct conf_entry *entry = &instance->main.entries[i];
        walk_text(walk, NULL, entry->line, entry->name, entry->value);
    }
    for (size_t i = 0; i < instance->master.service_count; i++) {
        const struct conf_service *service = &instance->master.services[i];
        for (size_t n = 0; n < service->override_count; n++)
            walk_text(walk, service, service->line, service->overrides[n].name,
                      service->overrides[n].value);
    }
}

static void walk_defaults(struct text_walk *walk)
{
    for (size_t i = 0; i < conf_part_count; i++)
        for (size_t row = 0; row < conf_parts[i]->parameter_count; row++)
            walk_text(walk, NULL, 0, span_empty(),
                      span_from_string(conf_parts[i]->parameters[row].default_text));
    for (size_t i = 0; i < conf_known_count; i++)
        walk_text(walk, NULL, 0, span_empty(), span_from_string(conf_known[i].default_text));
}

static void mark(void *context, struct span name)
{
    struct conf_instance *instance = context;
    struct conf_entry *entry = conf_main_find(&instance->main, name);
    if (entry)
        entry->is_referenced = true;
}

void conf_usage_mark(struct conf_instance *instance)
{
    struct text_walk walk = {.instance = instance, .visit = mark, .context = instance};
    walk_settings(&walk);
    walk_defaults(&walk);
}

/* Is one name mentioned anywhere? */
struct search {
    struct span name;
    bool is_found;
};

static void compare(void *context, struct span name)
{
    struct search *search = context;
    search->is_found = search->is_found || span_equals(search->name, name);
}

static bool is_mentioned(const struct conf_instance *instance, struct span name)
{
    struct search search = {.name = name};
    struct text_walk walk = {.instance = instance, .visit = compare, .context = &search};
    walk_settings(&walk);
    walk_defaults(&walk);
    return search.is_found;
}

/* ---- report ---- */

struct undefined_search {
    const struct conf_usage *usage;
    struct text_walk *walk;
};

static bool is_defined(const struct conf_instance *instance, const struct conf_service *service,
                       struct span name)
{
    struct conf_definition definition;
    if (conf_instance_find(instance, service, name, &definition) ||
        conf_name_is_known(instance, name) || conf_name_is_built(instance, name))
        return true;
    /* set for some service: then a text in main.cf may mention it */
    for (size_t i = 0; !service && i < instance->master.service_count; i++)
        if (conf_instance_find(instance, &instance->master.services[i], name, &definition))
            return true;
    return false;
}

static void report_undefined(void *context, struct span name)
{
    const struct undefined_search *search = context;
    const struct conf_usage *usage = search->usage;
    if (!is_defined(usage->instance, search->walk->service, name))
        usage->undefined(usage->context, search->walk->service, name, search->walk->line);
}

static bool has_names_of_deliveries(struct span name)
{
    struct span transport;
    const struct conf_parameter *parameter = conf_parameter_find(name, &transport);
    return conf_known_find(name) || (parameter && parameter->content == CONF_CONTENT_RAW);
}

/* Values of parameters that are not built may hold $user and the like, which belong to the time of
 * delivery: nothing is known of them here. */
static void walk_for_undefined(struct text_walk *walk)
{
    const struct conf_instance *instance = walk->instance;
    for (size_t i = 0; i < instance->main.entry_count; i++) {
        const struct conf_entry *entry = &instance->main.entries[i];
        if (!has_names_of_deliveries(entry->name))
            walk_text(walk, NULL, entry->line, span_empty(), entry->value);
    }
    for (size_t i = 0; i < instance->master.service_count; i++) {
        const struct conf_service *service = &instance->master.services[i];
        for (size_t n = 0; n < service->override_count; n++)
            if (!has_names_of_deliveries(service->overrides[n].name))
                walk_text(walk, service, service->line, span_empty(), service->overrides[n].value);
    }
}

static bool is_used(const struct conf_instance *instance, struct span name)
{
    return conf_name_is_built(instance, name) || conf_name_is_known(instance, name);
}

void conf_usage_report(const struct conf_usage *usage)
{
    struct conf_instance *instance = usage->instance;

    if (usage->undefined) {
        struct undefined_search search = {.usage = usage};
        struct text_walk walk = {
            .instance = instance, .visit = report_undefined, .context = &search};
        search.walk = &walk;
        walk_for_undefined(&walk);
    }
    conf_usage_mark(instance);
    if (!usage->unused)
        return;
    for (size_t i = 0; i < instance->main.entry_count; i++) {
        const struct conf_entry *entry = &instance->main.entries[i];
        if (!entry->is_referenced && !is_used(instance, entry->name))
            usage->unused(usage->context, NULL, entry->name, entry->value, entry->line);
    }
    for (size_t i = 0; i < instance->master.service_count; i++) {
        const struct conf_service *service = &instance->master.services[i];
        for (size_t n = 0; n < service->override_count; n++) {
            const struct conf_override *override = &service->overrides[n];
            if (!is_used(instance, override->name) && !is_mentioned(instance, override->name))
                usage->unused(usage->context, service, override->name, override->value,
                              service->line);
        }
    }
}
