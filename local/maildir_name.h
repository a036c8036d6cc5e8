/* local/maildir_name - what a delivered message is called in a Maildir.
 * SECONDS.Q<queue id>R<recipient>A<action>.HOST,S=SIZE: of the form that Maildir tools expect, and
 * the same for the same message, recipient and action, so that a repeated delivery finds its
 * earlier self. Pure. */
#ifndef LOCAL_MAILDIR_NAME_H
#define LOCAL_MAILDIR_NAME_H

#include "base/buffer.h"

enum {
    MAILDIR_NAME_MAX_BYTES = 255, /* of a file name */
    MAILDIR_HOST_MAX_BYTES = 100
};

/* Everything before ",S=". action: counts the deliveries of one recipient (an alias may have
 * several into one mailbox). */
void maildir_name_put_base(struct buffer *out, struct span queue_id, struct span recipient,
                           unsigned action, struct span host);
void maildir_name_put_size(struct buffer *out, uint64_t size_bytes);

/* Whether a directory entry is a message of that base, with whatever readers have added: sizes
 * after a comma, flags after a colon. */
MUST_USE bool maildir_name_has_base(struct span entry, struct span base);

#endif
