/* base/json_read - read JSON (RFC 8259) without building anything: values are views of the text.
 * Pure; nothing recurses, so that depth costs no stack.
 * Callers: authd (tokens and keys). */
#ifndef BASE_JSON_READ_H
#define BASE_JSON_READ_H

#include "base/arena.h"
#include "base/parse.h"

enum { JSON_DEPTH_MAX = 32 };

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_value {
    enum json_type type;
    struct span text; /* of a string: between the quotes, still escaped; else as it stands */
};

/* All of a text, which must be one value. Everything is looked at, whatever its depth:
 * PARSE_MALFORMED, or PARSE_TOO_LONG for more than JSON_DEPTH_MAX levels. */
MUST_USE enum parse_result json_parse(struct span text, struct json_value *value);

/* The following take values that json_parse() has found good. */

/* The member of that name; false when there is none, or more than one: which of them counts is what
 * readers of JSON do not agree on. */
MUST_USE bool json_object_find(const struct json_value *object, const char *name,
                               struct json_value *value);
/* The next element; *rest is the array's text at first. False after the last. */
MUST_USE bool json_array_next(struct span *rest, struct json_value *value);
/* A string without its escapes; bytes NULL: no string, an escape of half a character, or the arena
 * is full. */
MUST_USE struct span json_string(const struct json_value *value, struct arena *arena);
/* A number's whole part, where it is written without an exponent and fits. */
MUST_USE bool json_integer(const struct json_value *value, int64_t *result);

#endif
