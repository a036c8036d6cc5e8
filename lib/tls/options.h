/* tls/options - tls_ssl_options and tls_disable_workarounds: names of OpenSSL's option bits, or the
 * bits in hexadecimal. Interface: tls_options_parse(). Pure: of OpenSSL only its numbers are used.
 * Callers: tls/context, tls/check, the fuzzer. */
#ifndef TLS_OPTIONS_H
#define TLS_OPTIONS_H

#include <stdint.h>

#include "base/parse.h"
#include "base/span.h"

enum tls_option_kind {
    TLS_OPTION_KIND_OPTION,    /* tls_ssl_options: what is switched on */
    TLS_OPTION_KIND_WORKAROUND /* tls_disable_workarounds: what is switched off */
};

/* On PARSE_OK *bits has what the words say; of a number only bits that the kind may change. */
MUST_USE enum parse_result tls_options_parse(struct span text, enum tls_option_kind kind,
                                             uint64_t *bits, struct span *bad_word);

#endif
