/* tests/fuzz/master_endpoint - names of services of type inet: host and port are parts of the name,
 * and a port that is a number is the number. */
#include <stdlib.h>

#include "../../master/endpoint.h"
#include "base/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static bool lies_within(struct span part, struct span whole)
{
    return part.length == 0 ||
           (part.bytes >= whole.bytes && part.bytes + part.length <= whole.bytes + whole.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span name = span_of(bytes, length);
    struct span host, port;
    uint64_t number;
    if (!endpoint_parse(name, &host, &port))
        return 0;
    if (!lies_within(host, name) || !lies_within(port, name) || port.length == 0 ||
        host.length + port.length > name.length)
        abort();
    if (number_parse_uint64(port, 65535, &number) && endpoint_port(port) != number)
        abort();
    return 0;
}
