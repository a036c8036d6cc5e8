/* tools/postconf_list - parameters of main.cf: the catalogue's, those of transports, the user's. */
#include <stdlib.h>

#include "conf/known.h"
#include "conf/usage.h"
#include "postconf.h"

/* The names to show, in the arena. */
struct name_list {
    struct span *names;
    size_t count;
    size_t capacity;
};

static void add_name(struct postconf *postconf, struct name_list *list, struct span name)
{
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 512;
        struct span *names = arena_alloc(&postconf->arena, capacity * sizeof(*names));
        if (!names)
            postconf_fatal("out of memory");
        if (list->count > 0)
            memcpy(names, list->names, list->count * sizeof(*names));
        list->names = names;
        list->capacity = capacity;
    }
    if (!name.bytes)
        postconf_fatal("out of memory");
    list->names[list->count++] = name;
}

static int compare_names(const void *left, const void *right)
{
    return span_compare(*(const struct span *)left, *(const struct span *)right);
}

static void sort_names(struct name_list *list)
{
    size_t kept = 0;
    if (list->count > 0)
        qsort(list->names, list->count, sizeof(*list->names), compare_names);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || !span_equals(list->names[kept - 1], list->names[i]))
            list->names[kept++] = list->names[i];
    list->count = kept;
}

static bool is_of_service(struct span name)
{
    struct span transport;
    const struct conf_parameter *parameter = conf_parameter_find(name, &transport);
    return parameter && parameter->family != CONF_FAMILY_NONE;
}

/* The class that a name belongs to, or 0 when nothing uses it. */
static unsigned classify(const struct postconf *postconf, struct span name)
{
    const struct conf_instance *instance = &postconf->instance;
    if (conf_name_is_built(instance, name))
        return is_of_service(name) ? POSTCONF_SERVICE : POSTCONF_BUILTIN;
    if (conf_name_is_known(instance, name))
        return conf_known_find(name) ? POSTCONF_BUILTIN : POSTCONF_SERVICE;
    const struct conf_entry *entry = conf_main_find(&instance->main, name);
    return entry && entry->is_referenced && !postconf->shows_defaults ? POSTCONF_USER : 0;
}

static void add_transport(struct postconf *postconf, struct name_list *list, struct span transport)
{
    for (size_t i = 0; i < conf_part_count; i++) {
        for (size_t row = 0; row < conf_parts[i]->parameter_count; row++) {
            const struct conf_parameter *parameter = &conf_parts[i]->parameters[row];
            if (parameter->family == CONF_FAMILY_SUFFIX)
                add_name(postconf, list,
                         arena_format(&postconf->arena, "%.*s_%s", SPAN_PRINTF(transport),
                                      parameter->name));
        }
    }
}

/* All of the classes; sorted. */
static void collect_names(struct postconf *postconf, struct name_list *list)
{
    const struct conf_instance *instance = &postconf->instance;

    for (size_t i = 0; (postconf->classes & POSTCONF_BUILTIN) && i < conf_part_count; i++)
        for (size_t row = 0; row < conf_parts[i]->parameter_count; row++)
            if (conf_parts[i]->parameters[row].family == CONF_FAMILY_NONE)
                add_name(postconf, list, span_from_string(conf_parts[i]->parameters[row].name));
    for (size_t i = 0; (postconf->classes & POSTCONF_SERVICE) && i < instance->master.service_count;
         i++)
        if (conf_service_is_transport(&instance->master.services[i]))
            add_transport(postconf, list, conf_service_name(&instance->master.services[i]));
    for (size_t i = 0; !postconf->shows_defaults && i < instance->main.entry_count; i++)
        if (classify(postconf, instance->main.entries[i].name) & postconf->classes)
            add_name(postconf, list, instance->main.entries[i].name);
    sort_names(list);
}

/* ---- values ---- */

/* Set in main.cf, or by -o or -c. */
static bool is_set(const struct postconf *postconf, struct span name)
{
    return conf_main_find(&postconf->instance.main, name) ||
           (span_equals(name, SPAN("config_directory")) &&
            strcmp(postconf->directory, POSTHOUSE_CONFIG_DIRECTORY) != 0);
}

/* Holds names that get their meaning when mail is delivered or refused: $user, $rbl_what. */
static bool is_never_expanded(struct span name)
{
    static const char *const names[] = {"command_execution_directory", "default_rbl_reply",
                                        "forward_path", "luser_relay", "mailbox_command"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (span_equals(name, span_from_string(names[i])))
            return true;
    return false;
}

static void print_parameter(struct postconf *postconf, const struct conf_instance *values,
                            struct span name)
{
    struct conf_definition definition = {.text = span_empty()};
    struct conf_error error;
    struct buffer value;

    if ((postconf->shows_set_only && !is_set(postconf, name)) ||
        !conf_instance_find(values, NULL, name, &definition))
        return;
    buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
    if (!postconf->expands || is_never_expanded(name))
        buffer_append_span(&value, definition.text);
    else if (!conf_instance_value(values, NULL, name, &value, &error))
        postconf_fatal("%s", error.text);
    conf_print_setting(name, buffer_span(&value), postconf->print_flags, &postconf->output);
    buffer_release(&value);
}

/* What values would be without main.cf. */
static void forget_settings(const struct postconf *postconf, struct conf_instance *instance)
{
    *instance = postconf->instance;
    instance->main.entries = NULL;
    instance->main.entry_count = 0;
    instance->directory = SPAN(POSTHOUSE_CONFIG_DIRECTORY);
}

void postconf_list(struct postconf *postconf, char **names, size_t name_count)
{
    struct conf_instance defaults;
    struct name_list list = {.names = NULL};
    const struct conf_instance *values = &postconf->instance;

    conf_usage_mark(&postconf->instance);
    if (postconf->shows_defaults) {
        forget_settings(postconf, &defaults);
        values = &defaults;
    }
    if (name_count == 0)
        collect_names(postconf, &list);
    for (size_t i = 0; i < list.count; i++)
        print_parameter(postconf, values, list.names[i]);
    for (size_t i = 0; i < name_count; i++) {
        const struct span name = span_from_string(names[i]);
        const unsigned name_class = classify(postconf, name);
        if (name_class == 0)
            postconf_warn("%s: unknown parameter", names[i]);
        else if (name_class & postconf->classes)
            print_parameter(postconf, values, name);
    }
}
