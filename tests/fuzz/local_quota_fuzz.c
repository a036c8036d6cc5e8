/* tests/fuzz/local_quota_fuzz - a maildirsize file. */
#include "../../local/quota.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct quota quota = {0, 0};
    struct quota_usage usage = {0, 0};
    if (!quota_parse_file(span_of(bytes, length), &quota, &usage))
        ASSERT(usage.size_bytes == 0 && usage.message_count == 0);
    return 0;
}
