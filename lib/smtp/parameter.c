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

static enum parse_result parse_return(struct span value, struct smtp_parameters *parameters,
                                      struct outcome *refusal)
{
    if (span_equals_ascii_nocase(value, SPAN("FULL")))
        parameters->ret = SMTP_RETURN_FULL;
    else if (span_equals_ascii_nocase(value, SPAN("HDRS")))
        parameters->ret = SMTP_RETURN_HEADERS;
    else {
        *refusal = outcome_permanent(501, 5, 4, "Bad RET parameter syntax");
        return PARSE_MALFORMED;
    }
    parameters->has_dsn = true;
    return PARSE_OK;
}

/* RFC 3461 section 4: "!" to "~" without "=", where "+" begins two upper-case hexadecimal digits.
 * What it stands for must be printable (sections 4.2 and 4.4): it ends in the lines of a report. */
static bool is_printable_xtext(struct span value)
{
    for (size_t i = 0; i < value.length; i++) {
        const uint8_t byte = value.bytes[i];
        if (byte < '!' || byte > '~' || byte == '=')
            return false;
        if (byte != '+')
            continue;
        if (i + 2 >= value.length)
            return false;
        int decoded = 0;
        for (size_t digit = i + 1; digit <= i + 2; digit++) {
            if (value.bytes[digit] >= 'a')
                return false;
            const int half = ascii_hex_value(value.bytes[digit]);
            if (half < 0)
                return false;
            decoded = decoded << 4 | half;
        }
        if (decoded < ' ' || decoded > '~')
            return false;
        i += 2;
    }
    return value.length > 0;
}

static enum parse_result parse_envid(struct span value, struct smtp_parameters *parameters,
                                     struct outcome *refusal)
{
    if (value.length > SMTP_ENVID_MAX_BYTES || !is_printable_xtext(value)) {
        *refusal = outcome_permanent(501, 5, 4, "Bad ENVID parameter syntax");
        return PARSE_MALFORMED;
    }
    parameters->envid = value;
    parameters->has_dsn = true;
    return PARSE_OK;
}

static unsigned notify_flag(struct span word)
{
    static const struct {
        struct span word;
        unsigned flag;
    } words[] = {
        {SPAN_LITERAL("NEVER"), SMTP_NOTIFY_NEVER},
        {SPAN_LITERAL("SUCCESS"), SMTP_NOTIFY_SUCCESS},
        {SPAN_LITERAL("FAILURE"), SMTP_NOTIFY_FAILURE},
        {SPAN_LITERAL("DELAY"), SMTP_NOTIFY_DELAY},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (span_equals_ascii_nocase(word, words[i].word))
            return words[i].flag;
    return 0;
}

static enum parse_result parse_notify(struct span value, struct smtp_parameters *parameters,
                                      struct outcome *refusal)
{
    unsigned notify = 0;
    bool is_good = true;
    for (bool has_more = true; has_more;) {
        struct span word;
        has_more = span_split_once(value, ',', &word, &value);
        const unsigned flag = notify_flag(word);
        is_good = is_good && flag != 0;
        notify |= flag;
    }
    if (!is_good || (notify & SMTP_NOTIFY_NEVER && notify != SMTP_NOTIFY_NEVER)) {
        *refusal = outcome_permanent(501, 5, 4, "Error: Bad NOTIFY parameter syntax");
        return PARSE_MALFORMED;
    }
    parameters->notify = notify;
    parameters->has_dsn = true;
    return PARSE_OK;
}

/* RFC 3461 section 4.2: an address type, which is an atom, and the address in xtext. */
static enum parse_result parse_orcpt(struct span value, struct smtp_parameters *parameters,
                                     struct outcome *refusal)
{
    struct span type, address;
    bool is_good = span_split_once(value, ';', &type, &address) && type.length > 0 &&
                   value.length <= SMTP_ORCPT_MAX_BYTES && is_printable_xtext(address);
    for (size_t i = 0; i < type.length; i++)
        is_good = is_good && (ascii_is_alpha(type.bytes[i]) || ascii_is_digit(type.bytes[i]) ||
                              type.bytes[i] == '-');
    if (!is_good) {
        *refusal = outcome_permanent(501, 5, 4, "Error: Bad ORCPT parameter syntax");
        return PARSE_MALFORMED;
    }
    parameters->orcpt = value;
    parameters->has_dsn = true;
    return PARSE_OK;
}

/* RFC 6531 section 3.4: the keyword alone. */
static enum parse_result parse_smtputf8(struct span value, struct smtp_parameters *parameters,
                                        struct outcome *refusal)
{
    if (value.length) {
        *refusal = outcome_permanent(501, 5, 4, "Bad SMTPUTF8 parameter syntax");
        return PARSE_MALFORMED;
    }
    parameters->has_smtputf8 = true;
    return PARSE_OK;
}

/* RFC 8689 section 2: likewise. */
static enum parse_result parse_requiretls(struct span value, struct smtp_parameters *parameters,
                                          struct outcome *refusal)
{
    if (value.length) {
        *refusal = outcome_permanent(501, 5, 4, "Bad REQUIRETLS parameter syntax");
        return PARSE_MALFORMED;
    }
    parameters->has_requiretls = true;
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
    {SPAN_LITERAL("SMTPUTF8"), SMTP_PARAMETER_MAIL, parse_smtputf8},
    {SPAN_LITERAL("REQUIRETLS"), SMTP_PARAMETER_MAIL, parse_requiretls},
    {SPAN_LITERAL("RET"), SMTP_PARAMETER_MAIL, parse_return},
    {SPAN_LITERAL("ENVID"), SMTP_PARAMETER_MAIL, parse_envid},
    {SPAN_LITERAL("NOTIFY"), SMTP_PARAMETER_RCPT, parse_notify},
    {SPAN_LITERAL("ORCPT"), SMTP_PARAMETER_RCPT, parse_orcpt},
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
    struct smtp_parameters parsed = {.envid = span_empty(), .orcpt = span_empty()};
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
