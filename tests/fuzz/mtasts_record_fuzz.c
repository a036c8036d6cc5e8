/* tests/fuzz/mtasts_record - the TXT record of MTA-STS: an id that is taken is one. */
#include "mtasts/record.h"

#include "base/ascii.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span texts[] = {SPAN("v=spf1 -all"), span_of(bytes, length)};
    struct span id, chosen;
    if (mtasts_record_parse(texts[1], &id) != PARSE_OK)
        return 0;
    ASSERT(id.length > 0 && id.length <= MTASTS_ID_MAX_BYTES);
    for (size_t i = 0; i < id.length; i++)
        ASSERT(ascii_is_alnum(id.bytes[i]));
    if (mtasts_record_choose(texts, ARRAY_LENGTH(texts), &chosen) == PARSE_OK)
        ASSERT(span_equals(id, chosen));
    return 0;
}
