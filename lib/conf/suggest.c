/* conf/suggest - the name that somebody may have meant. */
#include "conf/suggest.h"

#include "conf/known.h"
#include "conf/usage.h"

enum { SUGGEST_NAME_MAX_BYTES = 80, SUGGEST_MAX_DISTANCE = 4, SUGGEST_BYTES_PER_MISTAKE = 5 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters have to be added, removed, changed or swapped with their neighbour. */
static size_t measure_distance(struct span left, struct span right)
{
    size_t rows[3][SUGGEST_NAME_MAX_BYTES + 1];
    size_t *before_last = rows[0], *last = rows[1], *current = rows[2];

    for (size_t j = 0; j <= right.length; j++)
        last[j] = j;
    for (size_t i = 1; i <= left.length; i++) {
        current[0] = i;
        for (size_t j = 1; j <= right.length; j++) {
            const bool is_same = left.bytes[i - 1] == right.bytes[j - 1];
            current[j] = least(least(last[j] + 1, current[j - 1] + 1), last[j - 1] + !is_same);
            if (i > 1 && j > 1 && left.bytes[i - 1] == right.bytes[j - 2] &&
                left.bytes[i - 2] == right.bytes[j - 1])
                current[j] = least(current[j], before_last[j - 2] + 1);
        }
        size_t *recycled = before_last;
        before_last = last;
        last = current;
        current = recycled;
    }
    return last[right.length];
}

struct suggestion {
    struct span wanted;
    struct span best;
    size_t distance; /* what is as far or farther is no suggestion */
};

static void consider(struct suggestion *suggestion, struct span candidate)
{
    if (candidate.length > SUGGEST_NAME_MAX_BYTES ||
        candidate.length + suggestion->distance <= suggestion->wanted.length ||
        suggestion->wanted.length + suggestion->distance <= candidate.length)
        return;
    const size_t distance = measure_distance(suggestion->wanted, candidate);
    if (distance < suggestion->distance) {
        suggestion->distance = distance;
        suggestion->best = candidate;
    }
}

static void consider_family(struct suggestion *suggestion, const struct conf_instance *instance,
                            const char *suffix)
{
    for (size_t i = 0; i < instance->master.service_count; i++) {
        const struct conf_service *service = &instance->master.services[i];
        if (!conf_service_is_transport(service))
            continue;
        const struct span name = arena_format(instance->arena, "%.*s_%s",
                                              SPAN_PRINTF(conf_service_name(service)), suffix);
        if (name.bytes)
            consider(suggestion, name);
    }
}

static struct suggestion begin(struct span wanted)
{
    const size_t limit = wanted.length / SUGGEST_BYTES_PER_MISTAKE + 1;
    return (struct suggestion){wanted, span_empty(), least(limit, SUGGEST_MAX_DISTANCE) + 1};
}

struct span conf_suggest_word(struct span wanted, const char *const *words, size_t count)
{
    struct suggestion suggestion = begin(wanted);

    for (size_t i = 0; wanted.length <= SUGGEST_NAME_MAX_BYTES && i < count; i++)
        consider(&suggestion, span_from_string(words[i]));
    return suggestion.best;
}

struct span conf_suggest_transport(const struct conf_instance *instance, struct span wanted)
{
    struct suggestion suggestion = begin(wanted);

    for (size_t i = 0;
         wanted.length <= SUGGEST_NAME_MAX_BYTES && i < instance->master.service_count; i++)
        if (conf_service_is_transport(&instance->master.services[i]))
            consider(&suggestion, conf_service_name(&instance->master.services[i]));
    return suggestion.best;
}

struct span conf_suggest_name(const struct conf_instance *instance, struct span name)
{
    struct suggestion suggestion = begin(name);

    if (name.length > SUGGEST_NAME_MAX_BYTES)
        return span_empty();
    for (size_t i = 0; i < conf_part_count; i++) {
        for (size_t row = 0; row < conf_parts[i]->parameter_count; row++) {
            const struct conf_parameter *parameter = &conf_parts[i]->parameters[row];
            if (parameter->family == CONF_FAMILY_NONE)
                consider(&suggestion, span_from_string(parameter->name));
            else if (parameter->family == CONF_FAMILY_SUFFIX)
                consider_family(&suggestion, instance, parameter->name);
        }
    }
    for (size_t i = 0; i < conf_known_count; i++)
        consider(&suggestion, span_from_string(conf_known[i].name));
    return suggestion.best;
}
