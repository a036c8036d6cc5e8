/* dnswire/query - see query.h. */
#include "dnswire/query.h"

/* Bits of the header's second 16-bit word (RFC 1035 section 4.1.1, RFC 4035 section 3). */
enum { HEADER_RECURSION_DESIRED = 0x0100, HEADER_AUTHENTIC_DATA = 0x0020 };
/* The DO bit within the OPT record's TTL field (RFC 6891 section 6.1.3). */
enum { OPT_DNSSEC_OK = 0x8000 };

static const struct {
    uint16_t type;
    const char *name;
} type_names[] = {
    {DNS_TYPE_A, "A"},     {DNS_TYPE_AAAA, "AAAA"}, {DNS_TYPE_MX, "MX"},
    {DNS_TYPE_TXT, "TXT"}, {DNS_TYPE_PTR, "PTR"},   {DNS_TYPE_CNAME, "CNAME"},
    {DNS_TYPE_SRV, "SRV"}, {DNS_TYPE_TLSA, "TLSA"}, {DNS_TYPE_SOA, "SOA"},
};

const char *dns_type_name(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(type_names); i++)
        if (type_names[i].type == type)
            return type_names[i].name;
    return "TYPE";
}

void dns_query_encode(uint16_t id, const struct dns_question *question, unsigned flags,
                      struct buffer *message)
{
    const bool has_edns = !(flags & DNS_QUERY_WITHOUT_EDNS);

    buffer_append_uint16(message, id);
    buffer_append_uint16(
        message, (uint16_t)(HEADER_RECURSION_DESIRED |
                            (flags & DNS_QUERY_AUTHENTIC_DATA ? HEADER_AUTHENTIC_DATA : 0)));
    buffer_append_uint16(message, 1); /* questions */
    buffer_append_uint16(message, 0);
    buffer_append_uint16(message, 0);
    buffer_append_uint16(message, has_edns ? 1 : 0); /* additional records */
    buffer_append_span(message, dns_name_span(&question->name));
    buffer_append_uint16(message, question->type);
    buffer_append_uint16(message, DNS_CLASS_IN);
    if (has_edns) {
        buffer_append_byte(message, 0); /* OPT belongs to the root */
        buffer_append_uint16(message, DNS_TYPE_OPT);
        buffer_append_uint16(message, DNS_EDNS_PAYLOAD_BYTES);
        buffer_append_uint32(message, flags & DNS_QUERY_DNSSEC_OK ? OPT_DNSSEC_OK : 0);
        buffer_append_uint16(message, 0); /* no options */
    }
}
