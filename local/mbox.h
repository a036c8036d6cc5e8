/* local/mbox - one delivery into a mailbox file: locked, appended, flushed, or cut back to what it
 * was. As the file's owner; for pool threads.
 * A delivery that may be a repetition looks whether the last message in the file is its earlier
 * self, whole or cut short by a crash, and writes in its place.
 * Callers: local/course, local/deliverer. */
#ifndef LOCAL_MBOX_H
#define LOCAL_MBOX_H

#include "maildir.h"
#include "system/filelock.h"

struct mbox_request {
    const struct message_content *content;
    struct span queue_id;
    struct span reverse_path;
    struct span original_recipient;
    struct span delivered_to; /* empty: no such field */
    const char *path;
    bool is_in_directory; /* opened already: directory and name say where, path is for people */
    int directory;
    const char *name;
    uint64_t size_limit_bytes; /* of the file; 0: none */
    struct filelock_rules locks;
    bool must_be_owner; /* the file must be the process's own user's */
    bool is_named;      /* a file of somebody's choice and no mailbox: never a program */
    bool is_maybe_repeated;
};

/* Makes the file where it is missing. result->outcome is OK with an empty text, or says why. */
void mbox_deliver(const struct mbox_request *request, struct rendition_space *space,
                  struct maildir_result *result);

#endif
