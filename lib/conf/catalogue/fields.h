/* conf/catalogue/fields - each row becomes a field of struct conf_NAME. No guard: included once per
 * part, before its .def file. */
#include "conf/catalogue/shared.h"
#define CONF_TEXT(name, default_text, minimum, maximum, meaning) struct span name;
#define CONF_RAW_TEXT(name, default_text, minimum, maximum, meaning) struct span name;
#define CONF_TEXT_NAMED(parameter, field, default_text, minimum, maximum, meaning)                 \
    struct span field;
#define CONF_NETWORKS(name, default_text, meaning) struct span name;
#define CONF_CLIENTS(name, default_text, meaning) struct span name;
#define CONF_TABLES(name, default_text, meaning) struct span name;
#define CONF_HELD_TABLES(name, default_text, meaning) struct span name;
#define CONF_RESTRICTIONS(name, default_text, meaning) struct span name;
#define CONF_MATCH_LIST(name, default_text, meaning) struct span name;
#define CONF_TEMPLATES(name, default_text, meaning) struct span name;
#define CONF_CHOICE(name, default_text, choices, meaning) struct span name;
#define CONF_WORDS(name, default_text, choices, meaning) struct span name;
#define CONF_BOOL(name, default_text, meaning) bool name;
#define CONF_NUMBER(name, default_text, minimum, maximum, meaning) uint32_t name;
#define CONF_SIZE(name, default_text, minimum, maximum, meaning) uint64_t name;
#define CONF_TIME(name, default_text, unit, minimum, maximum, meaning) int64_t name##_ms;
#define CONF_FAMILY_NUMBER(name, default_text, minimum, maximum, meaning)                          \
    struct conf_family transport_##name;
#define CONF_FAMILY_TIME(name, default_text, unit, minimum, maximum, meaning)                      \
    struct conf_family transport_##name;
#define CONF_FEEDBACK(name, default_text, meaning) int64_t name;
#define CONF_FAMILY_FEEDBACK(name, default_text, meaning) struct conf_family transport_##name;
#define CONF_FAMILY_MEMBER(transport, name, default_text)
#define CONF_EACH_SERVICE(name, service_programs, default_text, meaning) struct span name;
#define CONF_EACH_SERVICE_TABLES(name, service_programs, default_text, meaning) struct span name;
#define CONF_EACH_SERVICE_TEXT(name, service_programs, default_text, minimum, maximum, meaning)    \
    struct span name;
#define CONF_EACH_SERVICE_TIME(name, service_programs, default_text, unit, minimum, maximum,       \
                               meaning)                                                            \
    struct span name;
