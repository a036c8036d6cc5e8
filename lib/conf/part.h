/* conf/part - the parameter catalogue: what each program's settings are.
 * Every program has a file catalogue/NAME.def with one row per parameter. From it come
 * struct conf_NAME and conf_part_NAME (conf/NAME.h), the loader, the listing of postconf and the
 * check. Kinds of rows, and the field each makes:
 *
 *   CONF_TEXT(name, default, min_bytes, max_bytes, meaning)       struct span name
 *   CONF_RAW_TEXT(name, default, min_bytes, max_bytes, meaning)   the same: its $names are not
 *                                                                 parameters and stay
 *   CONF_TEXT_NAMED("name", field, default, min, max, meaning)    the same where a name is no
 *                                                                 identifier
 *   CONF_NETWORKS(name, default, meaning)                         struct span name
 *   CONF_CLIENTS(name, default, meaning)                          the same, names and words too
 *   CONF_TABLES(name, default, meaning)                           the same: type:name ...
 *   CONF_HELD_TABLES(name, default, meaning)                      the same, of types that live in
 *                                                                 memory
 *   CONF_RESTRICTIONS(name, default, meaning)                     the same: words of
 *                                                                 table/restrictions and tables
 *   CONF_MATCH_LIST(name, default, meaning)                       the same: names, /files, tables
 *   CONF_TEMPLATES(name, default, meaning)                        a file's name; the field has what
 *                                                                 conf_templates_load() reads
 *   CONF_CHOICE(name, default, "a|b", meaning)                    struct span name; one of them
 *   CONF_WORDS(name, default, "a|b", meaning)                     struct span name; a list of them
 *   CONF_BOOL(name, default, meaning)                             bool name
 *   CONF_NUMBER(name, default, min, max, meaning)                 uint32_t name
 *   CONF_SIZE(name, default, min_bytes, max_bytes, meaning)       uint64_t name
 *   CONF_TIME(name, default, unit, min_s, max_s, meaning)         int64_t name_ms
 *   CONF_FEEDBACK(name, default, meaning)                         int64_t name (conf/value.h)
 *   CONF_FAMILY_NUMBER(suffix, default, min, max, meaning)        struct conf_family
 *                                                                 transport_suffix
 *   CONF_FAMILY_TIME(suffix, default, unit, min_s, max_s, meaning)  the same, in milliseconds
 *   CONF_FAMILY_FEEDBACK(suffix, default, meaning)                the same, encoded
 *   CONF_FAMILY_MEMBER(transport, suffix, default)                no field
 *   CONF_EACH_SERVICE(name, "smtpd ...", default, meaning)        struct span name: what it is for
 *                                                                 each service of these programs,
 *                                                                 by conf_each_service_next()
 *   CONF_EACH_SERVICE_TABLES(name, "smtpd ...", default, meaning) the same for tables
 *   CONF_EACH_SERVICE_TEXT(name, "smtpd ...", default, min_bytes, max_bytes, meaning)
 *                                                                 the same within bounds
 *   CONF_EACH_SERVICE_TIME(name, "smtpd ...", default, unit, min_s, max_s, meaning)
 *                                                                 the same for a time
 *   CONF_SHARED(name)                                             a row of catalogue/shared.h
 *
 * A family is TRANSPORT_suffix for whatever transports master.cf names. The default is Postfix's
 * text and may contain $name. */
#ifndef CONF_PART_H
#define CONF_PART_H

#include "base/arena.h"
#include "conf/notice.h"

enum conf_type {
    CONF_TYPE_TEXT,
    CONF_TYPE_CHOICE,
    CONF_TYPE_WORDS,
    CONF_TYPE_BOOL,
    CONF_TYPE_NUMBER,
    CONF_TYPE_SIZE,
    CONF_TYPE_TIME,
    CONF_TYPE_FEEDBACK,
};

/* What a text consists of. */
enum conf_content {
    CONF_CONTENT_ANY,
    CONF_CONTENT_RAW,
    CONF_CONTENT_NETWORKS,
    CONF_CONTENT_CLIENTS,
    CONF_CONTENT_TABLES,
    CONF_CONTENT_HELD_TABLES,
    CONF_CONTENT_RESTRICTIONS,
    CONF_CONTENT_MATCH_LIST,
    CONF_CONTENT_TEMPLATES
};

enum conf_family_role { CONF_FAMILY_NONE, CONF_FAMILY_SUFFIX, CONF_FAMILY_MEMBER };

/* Upper ends for rows that need no other. */
enum {
    CONF_TEXT_MAX = 65536,
    CONF_CLIENTS_MAX = 2097152,
    CONF_NUMBER_MAX = 2147483647,
    CONF_DAY_S = 24 * 3600
};
#define CONF_TIME_MAX_S ((int64_t)3650 * CONF_DAY_S)
#define CONF_SIZE_MAX INT64_MAX

struct conf_parameter {
    const char *name; /* of a family: the suffix */
    const char *default_text;
    const char *meaning;
    size_t name_length;    /* nearly all of the time of finding a name went into strlen() */
    const char *choices;   /* CHOICE and WORDS */
    const char *transport; /* CONF_FAMILY_MEMBER */
    const char *programs;  /* of whose services it is read; NULL: the part's own */
    enum conf_type type;
    enum conf_content content;
    enum conf_family_role family;
    char unit;       /* TIME without a letter */
    int64_t minimum; /* TEXT: bytes; TIME: seconds */
    int64_t maximum;
    size_t offset; /* of the field */
};

struct conf_part {
    const char *name;
    size_t settings_size;
    const struct conf_parameter *parameters;
    size_t parameter_count;
};

struct conf_family_value {
    struct span transport;
    int64_t value;
};

struct conf_family {
    int64_t otherwise; /* for transports that have no value of their own */
    struct conf_family_value *values;
    size_t value_count;
};

MUST_USE int64_t conf_family_get(const struct conf_family *family, struct span transport);

/* The next service of a CONF_EACH_SERVICE field, and its value; the first time *rest is the field.
 * False at the end. */
MUST_USE bool conf_each_service_next(struct span *rest, struct span *service, struct span *value);

/* All parts, for tools and checks. */
extern const struct conf_part *const conf_parts[];
extern const size_t conf_part_count;
/* NULL when no program has that name. */
MUST_USE const struct conf_part *conf_part_find(struct span program);
/* The catalogue's row for a name, whatever the part; for TRANSPORT_suffix with a transport that has
 * a default of its own the member row, else the suffix row with *transport set. NULL when unknown.
 */
MUST_USE const struct conf_parameter *conf_parameter_find(struct span name, struct span *transport);

/* Its $names are not parameters: only the daemon knows what they stand for. */
MUST_USE bool conf_is_raw(struct span name);
/* The row against which a value of that name is checked: of a family always the suffix's. */
MUST_USE const struct conf_parameter *conf_parameter_for_value(struct span name);

/* A sealed settings descriptor (or any file with its text), read into the part's struct. Texts live
 * in the arena. Takes only complete settings: a missing, unknown or repeated name is an error. */
MUST_USE bool conf_load(const struct conf_part *part, int fd, struct arena *arena, void *settings,
                        struct conf_error *error);
/* The same from text in memory. */
MUST_USE bool conf_load_text(const struct conf_part *part, struct span text, struct arena *arena,
                             void *settings, struct conf_error *error);
/* Checks an expanded value against its row: false with the reason, which says what is allowed. */
MUST_USE bool conf_parameter_accepts(const struct conf_parameter *parameter, struct span value,
                                     struct conf_error *error);

#endif
