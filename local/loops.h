/* local/loops - has a message been delivered to this address before? Its header says so.
 * Callers: local/delivery. */
#ifndef LOCAL_LOOPS_H
#define LOCAL_LOOPS_H

#include "agent/content.h"
#include "base/span.h"

enum loops_result { LOOPS_NO, LOOPS_YES, LOOPS_FAILED /* errno */ };

/* Looks for a Delivered-To field with the address, in whatever case. */
enum loops_result loops_find(const struct message_content *content, struct span address);

#endif
