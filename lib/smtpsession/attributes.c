/* smtpsession/attributes - see attributes.h. */
#include "smtpsession/attributes.h"

#include "address/mailbox.h"
#include "base/ascii.h"
#include "base/buffer.h"
#include "base/number.h"
#include "dsn/xtext.h"

enum { VALUE_MAX_BYTES = 1024, TEXT_MAX_BYTES = 255, HELO_MAX_BYTES = 512 };

static const struct span attribute_names[SESSION_ATTRIBUTE_COUNT] = {
    [SESSION_ATTRIBUTE_NAME] = SPAN_LITERAL("NAME"),
    [SESSION_ATTRIBUTE_ADDR] = SPAN_LITERAL("ADDR"),
    [SESSION_ATTRIBUTE_PORT] = SPAN_LITERAL("PORT"),
    [SESSION_ATTRIBUTE_PROTO] = SPAN_LITERAL("PROTO"),
    [SESSION_ATTRIBUTE_HELO] = SPAN_LITERAL("HELO"),
    [SESSION_ATTRIBUTE_LOGIN] = SPAN_LITERAL("LOGIN"),
    [SESSION_ATTRIBUTE_REVERSE_NAME] = SPAN_LITERAL("REVERSE_NAME"),
    [SESSION_ATTRIBUTE_DESTADDR] = SPAN_LITERAL("DESTADDR"),
    [SESSION_ATTRIBUTE_DESTPORT] = SPAN_LITERAL("DESTPORT"),
    [SESSION_ATTRIBUTE_IDENT] = SPAN_LITERAL("IDENT"),
    [SESSION_ATTRIBUTE_SOURCE] = SPAN_LITERAL("SOURCE"),
};

/* Control characters become "?": values end in log lines. NULL bytes when the arena is full. */
static struct span decode(struct span value, struct arena *arena)
{
    struct buffer decoded;
    buffer_init(&decoded, arena, VALUE_MAX_BYTES);
    if (xtext_decode(value, &decoded) != PARSE_OK) {
        buffer_reset(&decoded);
        buffer_append_span(&decoded, value);
    }
    for (size_t i = 0; i < decoded.length; i++)
        if (decoded.bytes[i] < 0x20 || decoded.bytes[i] == 0x7f)
            decoded.bytes[i] = '?';
    return buffer_ok(&decoded) ? buffer_span(&decoded) : span_of(NULL, 0);
}

static bool is_not_available(struct span value)
{
    return span_equals_ascii_nocase(value, SPAN("[UNAVAILABLE]")) ||
           span_equals_ascii_nocase(value, SPAN("[TEMPUNAVAIL]"));
}

static bool take_text(struct span value, size_t maximum, struct span *text)
{
    *text = is_not_available(value) ? span_empty() : value;
    return text->length <= maximum;
}

static bool take_name(struct span value, struct span *name)
{
    *name = is_not_available(value) ? span_empty() : value;
    return name->length == 0 || address_domain_check(*name, 0) == PARSE_OK;
}

/* As in an address literal: RFC 5321 section 4.1.3. */
static bool take_address(struct span value, struct ip_address *address)
{
    const struct span tag = SPAN("IPV6:");
    *address = (struct ip_address){.family = IP_FAMILY_NONE};
    if (is_not_available(value))
        return true;
    if (span_starts_with_ascii_nocase(value, tag))
        value = span_after(value, tag.length);
    if (!ip_address_parse(value, address))
        return false;
    *address = ip_address_from_bytes(address->family, address->bytes);
    return true;
}

static bool take_port(struct span value, uint16_t *port)
{
    uint64_t number = 0;
    if (!is_not_available(value) && !number_parse_uint64(value, UINT16_MAX, &number))
        return false;
    *port = (uint16_t)number;
    return true;
}

static bool take_source(struct span value, bool *is_local)
{
    *is_local = span_equals_ascii_nocase(value, SPAN("LOCAL"));
    return *is_local || span_equals_ascii_nocase(value, SPAN("REMOTE"));
}

static bool take_protocol(struct span value, bool is_strict, struct span *protocol)
{
    if (is_strict)
        return (span_equals_ascii_nocase(value, SPAN("SMTP")) ||
                span_equals_ascii_nocase(value, SPAN("ESMTP"))) &&
               take_text(value, TEXT_MAX_BYTES, protocol);
    return take_text(value, TEXT_MAX_BYTES, protocol);
}

static bool take_value(struct session_attributes *attributes, enum session_attribute attribute,
                       struct span value, bool is_xclient)
{
    switch (attribute) {
    case SESSION_ATTRIBUTE_NAME:
        return take_name(value, &attributes->name);
    case SESSION_ATTRIBUTE_REVERSE_NAME:
        return take_name(value, &attributes->reverse_name);
    case SESSION_ATTRIBUTE_ADDR:
        return take_address(value, &attributes->address);
    case SESSION_ATTRIBUTE_DESTADDR:
        return take_address(value, &attributes->server_address);
    case SESSION_ATTRIBUTE_PORT:
        return take_port(value, &attributes->port);
    case SESSION_ATTRIBUTE_DESTPORT:
        return take_port(value, &attributes->server_port);
    case SESSION_ATTRIBUTE_PROTO:
        return take_protocol(value, is_xclient, &attributes->protocol);
    case SESSION_ATTRIBUTE_HELO:
        return take_text(value, HELO_MAX_BYTES, &attributes->helo);
    case SESSION_ATTRIBUTE_LOGIN:
        return take_text(value, TEXT_MAX_BYTES, &attributes->login);
    case SESSION_ATTRIBUTE_IDENT:
        return take_text(value, TEXT_MAX_BYTES, &attributes->ident);
    case SESSION_ATTRIBUTE_SOURCE:
        return take_source(value, &attributes->is_source_local);
    case SESSION_ATTRIBUTE_COUNT:
        break;
    }
    return false;
}

static enum parse_result refuse(struct outcome *refusal, struct span reason)
{
    *refusal = reason.bytes ? outcome_make(OUTCOME_PERMANENT, 501, 5, 4, reason)
                            : outcome_temporary(452, 3, 1, "Insufficient system resources");
    return PARSE_MALFORMED;
}

static unsigned find_attribute(struct span name, unsigned allowed)
{
    unsigned attribute = 0;
    while (
        attribute < SESSION_ATTRIBUTE_COUNT &&
        !((allowed >> attribute & 1) && span_equals_ascii_nocase(name, attribute_names[attribute])))
        attribute++;
    return attribute;
}

enum parse_result session_attributes_parse(struct span text, unsigned allowed, struct arena *arena,
                                           struct session_attributes *attributes,
                                           struct outcome *refusal)
{
    struct session_attributes parsed = {.given = 0};
    const bool is_xclient = allowed == SESSION_XCLIENT_ATTRIBUTES;
    struct span argument;
    while (span_next_word(&text, " ", &argument)) {
        struct span name, value;
        if (!span_split_once(argument, '=', &name, &value) || span_is_empty(value))
            return refuse(refusal, SPAN("Error: attribute=value expected"));
        const unsigned attribute = find_attribute(name, allowed);
        if (attribute == SESSION_ATTRIBUTE_COUNT)
            return refuse(refusal,
                          arena_format(arena, "Bad %s attribute name: %.*s",
                                       is_xclient ? "XCLIENT" : "XFORWARD", SPAN_PRINTF(name)));
        if (value.length > VALUE_MAX_BYTES)
            return refuse(refusal, SPAN("Error: attribute value too long"));
        const struct span decoded = decode(value, arena);
        if (!decoded.bytes ||
            !take_value(&parsed, (enum session_attribute)attribute, decoded, is_xclient))
            return refuse(refusal, decoded.bytes
                                       ? arena_format(arena, "Bad %.*s syntax: %.*s",
                                                      SPAN_PRINTF(attribute_names[attribute]),
                                                      SPAN_PRINTF(decoded))
                                       : decoded);
        parsed.given |= 1U << attribute;
    }
    *attributes = parsed;
    return PARSE_OK;
}
