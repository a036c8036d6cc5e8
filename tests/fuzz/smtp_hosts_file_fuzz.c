/* tests/fuzz/smtp_hosts_file - hosts(5): whatever is in it, addresses come out or nothing. */
#include "../../smtp/hosts_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ip_address addresses[HOSTS_FILE_ADDRESSES_MAX];
    const struct span input = span_of(data, size);
    const size_t count = hosts_file_lookup(input, SPAN("mx.example.org"), addresses);
    ASSERT(count <= HOSTS_FILE_ADDRESSES_MAX);
    for (size_t i = 0; i < count; i++)
        ASSERT(addresses[i].family != IP_FAMILY_NONE);
    return 0;
}
