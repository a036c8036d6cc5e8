/* local/earlier - what to do about a file that an earlier attempt at the same delivery left.
 * Callers: local/maildir. */
#ifndef LOCAL_EARLIER_H
#define LOCAL_EARLIER_H

#include "maildir.h"

enum earlier_result {
    EARLIER_ABSENT,
    EARLIER_KEPT,     /* the same bytes are there already; *file is that one, open */
    EARLIER_REPLACED, /* it was short or damaged, and the new file has taken its place and name */
    EARLIER_FAILED    /* errno */
};

/* Looks in new/ and cur/ for a message of this base. tmp_name: the new file, complete, of that
 * size; its descriptor is file->descriptor. After EARLIER_KEPT and _REPLACED file->name is where
 * the message stands as far as that is new/, otherwise empty. A file that is longer than ours was
 * changed by its owner and counts as delivered. */
MUST_USE enum earlier_result earlier_resolve(const struct maildir *mailbox, bool is_confined,
                                             struct span base, const char *tmp_name,
                                             uint64_t size_bytes, struct maildir_file *file);

#endif
