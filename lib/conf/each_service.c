/* conf/each_service - parameters of other programs' services, for a program that works for them.
 * In the settings such a parameter is a row of "SERVICE, unit separator, value, record separator";
 * neither may be in a value. */
#include "conf/expand.h"
#include "conf/part.h"
#include "conf/private.h"

enum { UNIT_SEPARATOR = 0x1f, RECORD_SEPARATOR = 0x1e };

bool conf_each_service_next(struct span *rest, struct span *service, struct span *value)
{
    struct span record;
    if (span_is_empty(*rest))
        return false;
    (void)span_split_once(*rest, RECORD_SEPARATOR, &record, rest); /* else it is the last */
    return span_split_once(record, UNIT_SEPARATOR, service, value);
}

bool conf_each_service_is_for(const struct conf_parameter *parameter, struct span program)
{
    struct span rest = parameter->programs ? span_from_string(parameter->programs) : span_empty();
    struct span word;
    while (span_next_word(&rest, " ", &word))
        if (span_equals(word, program))
            return true;
    return false;
}

static bool has_separator(struct span text)
{
    return span_find_byte(text, UNIT_SEPARATOR) < text.length ||
           span_find_byte(text, RECORD_SEPARATOR) < text.length;
}

bool conf_each_service_render(const struct conf_instance *instance,
                              const struct conf_parameter *parameter, struct buffer *output,
                              struct conf_notices *notices)
{
    const struct span name = span_from_string(parameter->name);
    bool is_ok = true;
    for (size_t i = 0; i < instance->master.service_count; i++) {
        const struct conf_service *service = &instance->master.services[i];
        struct buffer value;
        if (!conf_each_service_is_for(parameter, service->program))
            continue;
        buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
        if (!conf_instance_checked_value(instance, service, parameter, name, &value, notices)) {
            is_ok = false;
        } else if (has_separator(buffer_span(&value)) ||
                   has_separator(conf_service_name(service))) {
            conf_notice_add(notices, CONF_NOTICE_ERROR, "%.*s %s: a control character is in it",
                            SPAN_PRINTF(conf_instance_origin(instance, service, name)),
                            parameter->name);
            is_ok = false;
        } else {
            buffer_append_span(output, conf_service_name(service));
            buffer_append_byte(output, UNIT_SEPARATOR);
            buffer_append_span(output, buffer_span(&value));
            buffer_append_byte(output, RECORD_SEPARATOR);
        }
        buffer_release(&value);
    }
    return is_ok;
}
