/* tls/protocols - which versions of TLS a setting lets us speak: ">=TLSv1.2, <=TLSv1.3", and the
 * lists of old, "!SSLv2, !SSLv3" or "TLSv1.2 TLSv1.3".
 * Interface: tls_protocols_parse(). Pure. Callers: tls/context, tls/check, the fuzzer. */
#ifndef TLS_PROTOCOLS_H
#define TLS_PROTOCOLS_H

#include "base/parse.h"
#include "base/span.h"

enum tls_protocol {
    TLS_PROTOCOL_SSL3,
    TLS_PROTOCOL_1_0,
    TLS_PROTOCOL_1_1,
    TLS_PROTOCOL_1_2,
    TLS_PROTOCOL_1_3,
    TLS_PROTOCOL_COUNT
};

/* A bit for each enum tls_protocol. */
enum {
    TLS_PROTOCOLS_ALL = (1 << TLS_PROTOCOL_COUNT) - 1,
    /* keyd signs for nothing older: what is signed there says too little of what it is for. */
    TLS_PROTOCOLS_SIGNED = 1 << TLS_PROTOCOL_1_2 | 1 << TLS_PROTOCOL_1_3
};

/* On PARSE_OK *protocols has the bits of what may be spoken, at least one. Otherwise *bad_word is
 * what could not be understood, and empty where nothing is left to speak. An empty text allows
 * everything. */
MUST_USE enum parse_result tls_protocols_parse(struct span text, unsigned *protocols,
                                               struct span *bad_word);

#endif
