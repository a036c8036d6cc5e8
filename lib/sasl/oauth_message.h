/* sasl/oauth_message - the client's message of OAUTHBEARER (RFC 7628 section 3.1) and of XOAUTH2,
 * and the error that a server answers with (section 3.2.2). Pure; results point into the input but
 * for names, which are decoded into the arena. A message comes whole. Callers: lib/sasl. */
#ifndef SASL_OAUTH_MESSAGE_H
#define SASL_OAUTH_MESSAGE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/parse.h"
#include "sasl/mechanism.h"

struct oauth_message {
    struct span user;  /* as claimed; may be empty with OAUTHBEARER */
    struct span token; /* without "Bearer" */
};

MUST_USE enum parse_result oauthbearer_message_parse(struct span message, struct arena *arena,
                                                     struct oauth_message *oauth);
MUST_USE enum parse_result xoauth2_message_parse(struct span message, struct oauth_message *oauth);
/* The message of a client; host and port as it knows the server (port 0: not said). */
void oauthbearer_message_print(struct buffer *output, struct span user, struct span host,
                               unsigned port, struct span token);
void xoauth2_message_print(struct buffer *output, struct span user, struct span token);
/* The JSON of a server that does not take the token. Texts may be empty. */
void oauth_error_print(struct buffer *output, enum sasl_mechanism mechanism, struct span scope,
                       struct span configuration_url);

#endif
