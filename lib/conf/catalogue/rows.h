/* conf/catalogue/rows - each row becomes a struct conf_parameter. CONF_STRUCT names the part's
 * struct. No guard: included once per part, before its .def file. */
#include "conf/catalogue/shared.h"
#define CONF_ROW(name, kind, default_text, meaning, ...)                                           \
    {#name, default_text, meaning, sizeof #name - 1, .type = CONF_TYPE_##kind, __VA_ARGS__},
#define CONF_AT(field) .offset = offsetof(struct CONF_STRUCT, field)
#define CONF_TEXT(name, default_text, min, max, meaning)                                           \
    CONF_ROW(name, TEXT, default_text, meaning, .minimum = min, .maximum = max, CONF_AT(name))
#define CONF_RAW_TEXT(name, default_text, min, max, meaning)                                       \
    CONF_ROW(name, TEXT, default_text, meaning, .content = CONF_CONTENT_RAW, .minimum = min,       \
             .maximum = max, CONF_AT(name))
#define CONF_TEXT_NAMED(parameter, field, default_text, min, max, meaning)                         \
    {parameter,      default_text,   meaning,       sizeof parameter - 1, .type = CONF_TYPE_TEXT,  \
     .minimum = min, .maximum = max, CONF_AT(field)},
#define CONF_LISTED(name, kind, default_text, meaning)                                             \
    CONF_ROW(name, TEXT, default_text, meaning, .content = CONF_CONTENT_##kind,                    \
             .maximum = CONF_TEXT_MAX, CONF_AT(name))
/* The files in such a list may be long. */
#define CONF_CLIENT_LIST(name, kind, default_text, meaning)                                        \
    CONF_ROW(name, TEXT, default_text, meaning, .content = CONF_CONTENT_##kind,                    \
             .maximum = CONF_CLIENTS_MAX, CONF_AT(name))
#define CONF_NETWORKS(name, default_text, meaning)                                                 \
    CONF_CLIENT_LIST(name, NETWORKS, default_text, meaning)
#define CONF_CLIENTS(name, default_text, meaning)                                                  \
    CONF_CLIENT_LIST(name, CLIENTS, default_text, meaning)
#define CONF_TABLES(name, default_text, meaning) CONF_LISTED(name, TABLES, default_text, meaning)
#define CONF_HELD_TABLES(name, default_text, meaning)                                              \
    CONF_LISTED(name, HELD_TABLES, default_text, meaning)
#define CONF_RESTRICTIONS(name, default_text, meaning)                                             \
    CONF_LISTED(name, RESTRICTIONS, default_text, meaning)
#define CONF_MATCH_LIST(name, default_text, meaning)                                               \
    CONF_LISTED(name, MATCH_LIST, default_text, meaning)
#define CONF_TEMPLATES(name, default_text, meaning)                                                \
    CONF_LISTED(name, TEMPLATES, default_text, meaning)
#define CONF_CHOICE(name, default_text, words, meaning)                                            \
    CONF_ROW(name, CHOICE, default_text, meaning, .choices = words, CONF_AT(name))
#define CONF_WORDS(name, default_text, words, meaning)                                             \
    CONF_ROW(name, WORDS, default_text, meaning, .choices = words, CONF_AT(name))
#define CONF_BOOL(name, default_text, meaning)                                                     \
    CONF_ROW(name, BOOL, default_text, meaning, CONF_AT(name))
#define CONF_NUMBER(name, default_text, min, max, meaning)                                         \
    CONF_ROW(name, NUMBER, default_text, meaning, .minimum = min, .maximum = max, CONF_AT(name))
#define CONF_SIZE(name, default_text, min, max, meaning)                                           \
    CONF_ROW(name, SIZE, default_text, meaning, .minimum = min, .maximum = max, CONF_AT(name))
#define CONF_TIME(name, default_text, letter, min, max, meaning)                                   \
    CONF_ROW(name, TIME, default_text, meaning, .unit = letter, .minimum = min, .maximum = max,    \
             CONF_AT(name##_ms))
#define CONF_FAMILY_NUMBER(name, default_text, min, max, meaning)                                  \
    CONF_ROW(name, NUMBER, default_text, meaning, .family = CONF_FAMILY_SUFFIX, .minimum = min,    \
             .maximum = max, CONF_AT(transport_##name))
#define CONF_FAMILY_TIME(name, default_text, letter, min, max, meaning)                            \
    CONF_ROW(name, TIME, default_text, meaning, .family = CONF_FAMILY_SUFFIX, .unit = letter,      \
             .minimum = min, .maximum = max, CONF_AT(transport_##name))
#define CONF_FEEDBACK(name, default_text, meaning)                                                 \
    CONF_ROW(name, FEEDBACK, default_text, meaning, CONF_AT(name))
#define CONF_FAMILY_FEEDBACK(name, default_text, meaning)                                          \
    CONF_ROW(name, FEEDBACK, default_text, meaning, .family = CONF_FAMILY_SUFFIX,                  \
             CONF_AT(transport_##name))
#define CONF_FAMILY_MEMBER(transport_name, name, default_text)                                     \
    CONF_ROW(name, TEXT, default_text, NULL, .family = CONF_FAMILY_MEMBER,                         \
             .transport = #transport_name)
#define CONF_EACH_SERVICE(name, service_programs, default_text, meaning)                           \
    CONF_ROW(name, TEXT, default_text, meaning, .programs = service_programs,                      \
             .maximum = CONF_EXPAND_MAX_BYTES, CONF_AT(name))
#define CONF_EACH_SERVICE_TABLES(name, service_programs, default_text, meaning)                    \
    CONF_ROW(name, TEXT, default_text, meaning, .programs = service_programs,                      \
             .content = CONF_CONTENT_TABLES, .maximum = CONF_TEXT_MAX, CONF_AT(name))
#define CONF_EACH_SERVICE_TEXT(name, service_programs, default_text, min, max, meaning)            \
    CONF_ROW(name, TEXT, default_text, meaning, .programs = service_programs, .minimum = min,      \
             .maximum = max, CONF_AT(name))
#define CONF_EACH_SERVICE_TIME(name, service_programs, default_text, letter, min, max, meaning)    \
    CONF_ROW(name, TIME, default_text, meaning, .programs = service_programs, .unit = letter,      \
             .minimum = min, .maximum = max, CONF_AT(name))
