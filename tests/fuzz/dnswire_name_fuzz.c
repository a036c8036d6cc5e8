/* tests/fuzz/dnswire_name - any text as a name, any message holding one; text and wire agree. */
#include "dnswire/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_text_form(const struct dns_name *name)
{
    uint8_t text[DNS_NAME_TEXT_MAX_BYTES];
    struct dns_name again;
    const size_t length = dns_name_format(name, text);
    ASSERT(length <= sizeof(text));
    ASSERT(dns_name_from_text(span_of(text, length), &again) == PARSE_OK);
    ASSERT(dns_name_equals(name, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span input = span_of(bytes, length);
    struct dns_name name;
    size_t end;
    if (dns_name_from_text(input, &name) == PARSE_OK)
        check_text_form(&name);
    for (size_t offset = 0; offset < length && offset < 64; offset++)
        if (dns_name_parse(input, offset, &name, &end) == PARSE_OK) {
            ASSERT(end <= length);
            check_text_form(&name);
        }
    if (dns_name_is_mail_host(input))
        ASSERT(dns_name_from_text(input, &name) == PARSE_OK);
    return 0;
}
