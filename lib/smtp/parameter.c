/* smtp/parameter - see parameter.h. */
#include "smtp/parameter.h"

#include "base/ascii.h"
#include "base/number.h"
#include "base/utf8.h"
#include "smtp/date.h"

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
static bool is_printable_xtext(struct span value, bool may_be_utf8)
{
    for (size_t i = 0; i < value.length; i++) {
        const uint8_t byte = value.bytes[i];
        if (may_be_utf8 && byte >= 0x80)
            continue;
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
    if (value.length > SMTP_ENVID_MAX_BYTES || !is_printable_xtext(value, false)) {
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

/* RFC 3461 section 4.2: an address type, which is an atom, and the address in xtext; of utf-8, by
 * RFC 6533 section 3, maybe in UTF-8. */
static enum parse_result parse_orcpt(struct span value, struct smtp_parameters *parameters,
                                     struct outcome *refusal)
{
    struct span type, address;
    bool is_good = span_split_once(value, ';', &type, &address) && type.length > 0 &&
                   value.length <= SMTP_ORCPT_MAX_BYTES && utf8_is_valid(address) &&
                   is_printable_xtext(address, span_equals_ascii_nocase(type, SPAN("utf-8")));
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

/* RFC 4954 section 5: an address in xtext, or "<>". */
static enum parse_result parse_auth(struct span value, struct smtp_parameters *parameters,
                                    struct outcome *refusal)
{
    if (value.length > SMTP_ORCPT_MAX_BYTES ||
        (!span_equals(value, SPAN("<>")) && !is_printable_xtext(value, false))) {
        *refusal = outcome_permanent(501, 5, 4, "Bad AUTH parameter syntax");
        return PARSE_MALFORMED;
    }
    parameters->auth = value;
    parameters->has_auth = true;
    return PARSE_OK;
}

/* Digits, of which there are at least one and no more than that many; false: something else. */
static bool parse_digits(struct span text, size_t count_max, int64_t *number)
{
    *number = 0;
    if (text.length > count_max)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (!ascii_is_digit(text.bytes[i]))
            return false;
        *number = *number * 10 + (text.bytes[i] - '0');
    }
    return text.length > 0;
}

enum { INTERVAL_DIGITS = 9 };

/* RFC 4865 section 4.2: there is one of them, or none. */
static bool is_second_hold(const struct smtp_parameters *parameters, struct outcome *refusal)
{
    if (parameters->hold == SMTP_HOLD_NONE)
        return false;
    *refusal = outcome_permanent(501, 5, 4, "HOLDFOR and HOLDUNTIL exclude each other");
    return true;
}

static enum parse_result parse_hold_for(struct span value, struct smtp_parameters *parameters,
                                        struct outcome *refusal)
{
    if (is_second_hold(parameters, refusal))
        return PARSE_MALFORMED;
    if (!parse_digits(value, INTERVAL_DIGITS, &parameters->hold_time_s) || value.bytes[0] == '0') {
        *refusal = outcome_permanent(501, 5, 4, "Bad HOLDFOR parameter syntax");
        return PARSE_MALFORMED;
    }
    parameters->hold = SMTP_HOLD_FOR;
    parameters->hold_value = value;
    return PARSE_OK;
}

static enum parse_result parse_hold_until(struct span value, struct smtp_parameters *parameters,
                                          struct outcome *refusal)
{
    if (is_second_hold(parameters, refusal))
        return PARSE_MALFORMED;
    if (smtp_timestamp_parse(value, &parameters->hold_time_s) != PARSE_OK) {
        *refusal = outcome_permanent(501, 5, 4, "Bad HOLDUNTIL parameter syntax");
        return PARSE_MALFORMED;
    }
    parameters->hold = SMTP_HOLD_UNTIL;
    parameters->hold_value = value;
    return PARSE_OK;
}

/* RFC 2852 section 4: seconds, with a sign perhaps, ";", N or R, and perhaps T. */
static enum parse_result parse_by(struct span value, struct smtp_parameters *parameters,
                                  struct outcome *refusal)
{
    struct span time, mode;
    int64_t seconds = 0;
    bool is_good = span_split_once(value, ';', &time, &mode);
    const bool is_negative = span_starts_with(time, SPAN("-"));
    if (is_negative || span_starts_with(time, SPAN("+")))
        time = span_after(time, 1);
    is_good = is_good && parse_digits(time, INTERVAL_DIGITS, &seconds);
    parameters->has_by_trace = mode.length == 2 && (mode.bytes[1] == 'T' || mode.bytes[1] == 't');
    if (mode.length == (parameters->has_by_trace ? 2U : 1U))
        parameters->by_mode = mode.bytes[0] == 'N' || mode.bytes[0] == 'n'   ? SMTP_BY_NOTIFY
                              : mode.bytes[0] == 'R' || mode.bytes[0] == 'r' ? SMTP_BY_RETURN
                                                                             : SMTP_BY_NONE;
    parameters->by_time_s = is_negative ? -seconds : seconds;
    /* What is to be returned when it is late cannot be late already. */
    if (!is_good || parameters->by_mode == SMTP_BY_NONE ||
        (parameters->by_mode == SMTP_BY_RETURN && parameters->by_time_s <= 0)) {
        *refusal = outcome_permanent(501, 5, 4, "Bad BY parameter syntax");
        return PARSE_MALFORMED;
    }
    return PARSE_OK;
}

/* RFC 6710 section 7: a digit, or one but zero behind a minus sign. */
static enum parse_result parse_priority(struct span value, struct smtp_parameters *parameters,
                                        struct outcome *refusal)
{
    const bool is_negative = span_starts_with(value, SPAN("-"));
    const struct span digit = is_negative ? span_after(value, 1) : value;
    if (digit.length != 1 || !ascii_is_digit(digit.bytes[0]) ||
        (is_negative && digit.bytes[0] == '0')) {
        *refusal = outcome_permanent(501, 5, 2, "Bad MT-PRIORITY parameter syntax");
        return PARSE_MALFORMED;
    }
    parameters->priority = is_negative ? -(digit.bytes[0] - '0') : digit.bytes[0] - '0';
    parameters->has_priority = true;
    return PARSE_OK;
}

/* Postfix's XVERP, with delimiters or without. Whether there may be any, and which, is for the
 * session to say: who may not ask for it hears that there is no such parameter. */
static enum parse_result take_verp(struct span parameter, struct smtp_parameters *parameters,
                                   struct outcome *refusal UNUSED)
{
    parameters->verp = parameter;
    return PARSE_OK;
}

enum { PARAMETER_IS_WHOLE = 1 << 2 }; /* its keyword is handed on, too */

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
    {SPAN_LITERAL("AUTH"), SMTP_PARAMETER_MAIL, parse_auth},
    {SPAN_LITERAL("HOLDFOR"), SMTP_PARAMETER_MAIL, parse_hold_for},
    {SPAN_LITERAL("HOLDUNTIL"), SMTP_PARAMETER_MAIL, parse_hold_until},
    {SPAN_LITERAL("BY"), SMTP_PARAMETER_MAIL, parse_by},
    {SPAN_LITERAL("MT-PRIORITY"), SMTP_PARAMETER_MAIL, parse_priority},
    {SPAN_LITERAL("XVERP"), SMTP_PARAMETER_MAIL | PARAMETER_IS_WHOLE, take_verp},
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
    struct smtp_parameters parsed = {.envid = span_empty(),
                                     .orcpt = span_empty(),
                                     .auth = span_empty(),
                                     .hold_value = span_empty(),
                                     .verp = span_empty()};
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
        const enum parse_result result = parameter_rules[row].parse(
            parameter_rules[row].commands & PARAMETER_IS_WHOLE ? parameter : value, &parsed,
            refusal);
        if (result != PARSE_OK) {
            *word = span_empty();
            return result;
        }
    }
    *parameters = parsed;
    return PARSE_OK;
}

void smtp_orcpt_append_ascii(struct span orcpt, struct buffer *output)
{
    while (orcpt.length) {
        const size_t length = utf8_character_length(orcpt);
        if (length < 2) {
            buffer_append_byte(output, orcpt.bytes[0]);
            orcpt = span_after(orcpt, 1);
            continue;
        }
        /* The bits behind the lead's mark, then six of each byte. */
        uint32_t point = orcpt.bytes[0] & (0x7fU >> length);
        for (size_t i = 1; i < length; i++)
            point = point << 6 | (orcpt.bytes[i] & 0x3fU);
        buffer_append_format(output, "\\x{%X}", (unsigned)point);
        orcpt = span_after(orcpt, length);
    }
}
