/* sasl/scram_message - the four messages of SCRAM (RFC 5802 section 7), and the GS2 header that
 * OAUTHBEARER has, too (RFC 5801 section 4). Pure; results point into the input but for names,
 * which are decoded into the arena. A message comes whole, framed by the protocol around it:
 * nothing here asks for more. Callers: lib/sasl. */
#ifndef SASL_SCRAM_MESSAGE_H
#define SASL_SCRAM_MESSAGE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/parse.h"
#include "sasl/mechanism.h"

enum { SCRAM_NONCE_MAX_BYTES = 512 };

enum gs2_flag {
    GS2_NO_BINDING,       /* n: the client cannot */
    GS2_SERVER_CANNOT,    /* y: the client could, and believes that the server cannot */
    GS2_BINDING_REQUIRED, /* p=name */
};

struct gs2_header {
    enum gs2_flag flag;
    struct span binding_name;
    struct span authzid; /* empty: none; "a=" without a name is malformed */
    struct span text;    /* all of it, with the comma at the end */
};

struct scram_client_first {
    struct gs2_header header;
    struct span bare; /* what follows the header; part of what is signed */
    struct span user; /* as sent, decoded, not prepared; may be empty */
    struct span nonce;
};

struct scram_server_first {
    struct span nonce;
    struct span salt; /* decoded */
    uint32_t iterations;
};

struct scram_client_final {
    struct span binding; /* decoded: GS2 header and channel binding data */
    struct span nonce;
    struct span without_proof; /* part of what is signed */
    struct span proof;         /* decoded */
};

struct scram_server_final {
    struct span error;     /* empty: it is a signature */
    struct span signature; /* decoded */
};

/* *consumed: where the header ends. */
MUST_USE enum parse_result gs2_header_parse(struct span message, struct arena *arena,
                                            struct gs2_header *header, size_t *consumed);
MUST_USE enum parse_result scram_client_first_parse(struct span message, struct arena *arena,
                                                    struct scram_client_first *first);
MUST_USE enum parse_result scram_server_first_parse(struct span message, struct arena *arena,
                                                    struct scram_server_first *first);
MUST_USE enum parse_result scram_client_final_parse(struct span message, struct arena *arena,
                                                    struct scram_client_final *final);
MUST_USE enum parse_result scram_server_final_parse(struct span message, struct arena *arena,
                                                    struct scram_server_final *final);
/* A saslname: "=2C" and "=3D" for comma and equals sign. */
void scram_name_append(struct buffer *output, struct span name);

#endif
