/* sasl/plain_message - the messages of the mechanisms without much arithmetic. Pure; results point
 * into the input. A message comes whole. Callers: lib/sasl. */
#ifndef SASL_PLAIN_MESSAGE_H
#define SASL_PLAIN_MESSAGE_H

#include "base/parse.h"
#include "sasl/mechanism.h"

struct plain_message {
    struct span authzid; /* may be empty */
    struct span user, password;
};

/* RFC 4616 section 2: three fields with NUL between them. */
MUST_USE enum parse_result plain_message_parse(struct span message, struct plain_message *plain);
/* RFC 2195 section 2: a name, a space, 32 hexadecimal digits, decoded to the 16 bytes. */
enum { CRAM_MD5_BYTES = 16 };
MUST_USE enum parse_result cram_message_parse(struct span message, struct span *user,
                                              uint8_t digest[CRAM_MD5_BYTES]);
/* HMAC-MD5 of the challenge (RFC 2195 section 2). False when libcrypto refuses. */
MUST_USE bool cram_md5_digest(struct span password, struct span challenge,
                              uint8_t digest[CRAM_MD5_BYTES]);
/* RFC 4505 section 2: an address, or up to 255 characters without "@"; may be empty. */
MUST_USE enum parse_result trace_message_parse(struct span message);

#endif
