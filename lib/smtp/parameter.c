/* smtp/parameter - see parameter.h. */
#include "smtp/parameter.h"

#include "base/ascii.h"
#include "base/number.h"

/* RFC 1870 section 4: up to twenty digits. */
static enum parse_result parse_size(struct span value, struct smtp_parameters *parameters,
                                    struct outcome *refusal)
{
    bool is_number = value.length > 0;
    for (size_t i = 0; i < value.length; i++)
        is_number = is_number && ascii_is_digit(value.bytes[i]);
    if (!is_number) {
        *refusal = outcome_permanent(501, 5, 4, "Bad message size syntax");
        return PARSE_MALFORMED;
    }
    if (!number_parse_uint64(value, INT64_MAX, &parameters->size_bytes)) {
        *refusal = outcome_permanent(552, 3, 4, "Message size exceeds file system imposed limit");
        return PARSE_TOO_LONG;
    }
    parameters->has_size = true;
    return PARSE_OK;
}

static enum parse_result parse_body(struct span value, struct smtp_parameters *parameters,
                                    struct outcome *refusal)
{
    if (span_equals_ascii_nocase(value, SPAN("7BIT")))
        parameters->body = SMTP_BODY_7BIT;
    else if (span_equals_ascii_nocase(value, SPAN("8BITMIME")))
        parameters->body = SMTP_BODY_8BITMIME;
    else {
        *refusal = outcome_permanent(501, 5, 4, "Bad BODY type");
        return PARSE_MALFORMED;
    }
    return PARSE_OK;
}

static const struct parameter_rule {
    struct span keyword;
    unsigned commands;
    enum parse_result (*parse)(struct span value, struct smtp_parameters *parameters,
                               struct outcome *refusal);
} parameter_rules[] = {
    {SPAN_LITERAL("SIZE"), SMTP_PARAMETER_MAIL, parse_size},
    {SPAN_LITERAL("BODY"), SMTP_PARAMETER_MAIL, parse_body},
};

static enum parse_result refuse(struct outcome *refusal, struct span *word, struct outcome reason,
                                struct span shown)
{
    *refusal = reason;
    *word = shown;
    return PARSE_MALFORMED;
}

enum parse_result smtp_parameters_parse(struct span text, enum smtp_parameter_command command,
                                        struct smtp_parameters *parameters, struct outcome *refusal,
                                        struct span *word)
{
    struct smtp_parameters parsed = {.has_size = false};
    unsigned seen = 0;
    struct span parameter;
    while (span_next_word(&text, " ", &parameter)) {
        struct span keyword, value;
        size_t row = 0;
        (void)span_split_once(parameter, '=', &keyword, &value);
        while (row < ARRAY_LENGTH(parameter_rules) &&
               !((parameter_rules[row].commands & (unsigned)command) &&
                 span_equals_ascii_nocase(keyword, parameter_rules[row].keyword)))
            row++;
        if (row == ARRAY_LENGTH(parameter_rules))
            return refuse(refusal, word, outcome_permanent(555, 5, 4, "Unsupported option: "),
                          parameter);
        if (seen & 1U << row)
            return refuse(refusal, word, outcome_permanent(501, 5, 4, "Repeated option: "),
                          keyword);
        seen |= 1U << row;
        const enum parse_result result = parameter_rules[row].parse(value, &parsed, refusal);
        if (result != PARSE_OK) {
            *word = span_empty();
            return result;
        }
    }
    *parameters = parsed;
    return PARSE_OK;
}
