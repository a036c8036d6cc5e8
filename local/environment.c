/* local/environment - see environment.h. */
#include "environment.h"

#include "table/names.h"

#define DEFAULT_PATH "PATH=/usr/bin:/bin"

static const char *find_inherited(char *const *inherited, struct span name)
{
    for (; inherited && *inherited; inherited++) {
        const struct span entry = span_from_string(*inherited);
        if (span_starts_with(entry, name) && entry.length > name.length &&
            entry.bytes[name.length] == '=')
            return *inherited;
    }
    return NULL;
}

/* True with nothing added: there is no such variable. */
static bool add_variable(struct span word, struct span config_directory, char *const *inherited,
                         struct arena *arena, const char **variables, size_t *count)
{
    const char *variable = NULL;
    struct span name, value;
    if (span_split_once(word, '=', &name, &value)) {
        const struct span text =
            arena_format(arena, "%.*s=%.*s", SPAN_PRINTF(span_trim_spaces(name)),
                         SPAN_PRINTF(span_trim_spaces(value)));
        variable = text.bytes ? arena_string(arena, text) : NULL;
    } else if (span_equals(word, SPAN("MAIL_CONFIG"))) { /* for sendmail of this instance */
        const struct span text =
            arena_format(arena, "MAIL_CONFIG=%.*s", SPAN_PRINTF(config_directory));
        variable = text.bytes ? arena_string(arena, text) : NULL;
    } else {
        variable = find_inherited(inherited, word);
        if (!variable)
            return true;
    }
    variables[*count] = variable;
    *count += variable != NULL;
    return variable != NULL;
}

const char **environment_export(struct span names, struct span config_directory,
                                char *const *inherited, size_t room_count, struct arena *arena,
                                size_t *count)
{
    const char **variables =
        arena_alloc(arena, (ENVIRONMENT_EXPORTED_MAX + 2 + room_count) * sizeof(*variables));
    struct span word;
    *count = 0;
    if (!variables)
        return NULL;
    variables[(*count)++] = DEFAULT_PATH;
    while (*count < ENVIRONMENT_EXPORTED_MAX && table_next_name(&names, &word)) {
        if (span_starts_with(word, SPAN("{")) && table_strip_braces(word, &word) != NULL)
            continue; /* braces that are not closed: no variable */
        if (!add_variable(word, config_directory, inherited, arena, variables, count))
            return NULL;
    }
    /* A PATH of the operator's counts instead of ours. */
    for (size_t i = 1; i < *count; i++)
        if (span_starts_with(span_from_string(variables[i]), SPAN("PATH=")))
            variables[0] = variables[i];
    variables[*count] = NULL;
    return variables;
}
