/* table/server_protocol - what table servers are asked and how they answer: socketmap_table(5)
 * (netstrings) and tcp_table(5) (lines). Pure. Callers: table/server, its fuzzer. */
#ifndef TABLE_SERVER_PROTOCOL_H
#define TABLE_SERVER_PROTOCOL_H

#include "base/buffer.h"
#include "base/parse.h"
#include "table/table.h"

enum {
    TABLE_SOCKETMAP_REPLY_MAX_BYTES = 100000,
    TABLE_TCP_REPLY_MAX_BYTES = 4096 + 16 /* tcp_table(5) says 4096 */
};

/* "SIZE:NAME KEY," */
void table_socketmap_append_request(struct span name, struct span key, struct buffer *out);
/* The netstring at the start of input. */
MUST_USE enum parse_result table_socketmap_parse_reply(struct span input, struct span *payload,
                                                       size_t *consumed_bytes);
/* "OK data", "NOTFOUND ", "TEMP reason", "TIMEOUT reason", "PERM reason": *text is what follows the
 * word. PERM is an error like the others: mail is delayed until somebody has looked. False for
 * anything else. */
MUST_USE bool table_socketmap_read(struct span payload, enum table_result *result,
                                   struct span *text);

/* "get KEY" and a newline, with "%XX" for what is no plain character. */
void table_tcp_append_request(struct span key, struct buffer *out);
/* A whole line, without its newline: "200 value", "500 reason" (not found), "400 reason". Appends
 * the decoded text; false for anything else. */
MUST_USE bool table_tcp_read(struct span line, enum table_result *result, struct buffer *text);

#endif
