/* tests/fuzz/fetchd_uri - an https URI: nothing in its parts could be read as another URI's. */
#include "../../fetchd/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct uri uri;
    if (uri_parse(span_of(bytes, length), true, &uri) != PARSE_OK)
        return 0;
    ASSERT(uri.port != 0 && uri.host.length > 0);
    ASSERT(span_find_byte(uri.host, '@') == uri.host.length &&
           span_find_byte(uri.host, '/') == uri.host.length &&
           span_find_byte(uri.host, ':') == uri.host.length);
    for (size_t i = 0; i < uri.path.length; i++)
        ASSERT(uri.path.bytes[i] > ' ' && uri.path.bytes[i] < 0x7f && uri.path.bytes[i] != '#');
    return 0;
}
