/* tests/fuzz/keyd_signable_fuzz - whatever is recognized as signable is so for one reason only, and
 * is not when a byte more or less is there. */
#include "../../keyd/signable.h"

enum { HASHES_DIFFER_BY = 16 }; /* SHA-256 and SHA-384 in TLS 1.3 */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const unsigned all = SIGNABLE_AS_SERVER | SIGNABLE_AS_CLIENT;
    const struct span input = span_of(bytes, length);
    const enum signable what = signable_recognize(input, all);
    ASSERT(signable_recognize(input, SIGNABLE_NOTHING) == SIGNABLE_NOTHING);
    if (what == SIGNABLE_NOTHING)
        return 0;
    ASSERT((what & all) != 0 && (what & (what - 1U)) == 0);
    ASSERT(signable_recognize(input, what) == what);
    ASSERT(signable_recognize(input, all & ~(unsigned)what) == SIGNABLE_NOTHING);
    for (size_t cut = 1; cut < HASHES_DIFFER_BY && cut <= length; cut++)
        ASSERT(signable_recognize(span_first(input, length - cut), what) == SIGNABLE_NOTHING);
    return 0;
}
