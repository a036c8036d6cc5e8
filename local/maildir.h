/* local/maildir - one delivery into a Maildir: whole before it has its name in new/.
 * Interface: maildir_write(), maildir_flush(), for pool threads; the order of
 * deliveries and the choice of how to flush is local/commit's.
 *
 * The name goes into new/ before the file is flushed, and success is reported after the flush. On
 * ext4, xfs and btrfs that one flush makes the file and its name durable together; flushing before
 * the rename would need a second flush, of the directory. The price: a power cut may leave a short
 * file in new/, seen until the delivery is repeated and replaces it, which its name, the same each
 * time, allows.
 *
 * It is written in tmp/ and renamed; or, where kernel and file system have files without a name
 * (O_TMPFILE; giving them one takes Linux 6.10, or a capability), made without one and linked: the
 * same in one flush, with half the work on directories. Such a file is made in new/ at once, where
 * no reader can see it: a link from one directory to another costs two walks up to the root more,
 * for Landlock. */
#ifndef LOCAL_MAILDIR_H
#define LOCAL_MAILDIR_H

#include "base/outcome.h"
#include "maildir_open.h"
#include "maildir_name.h"
#include "quota.h"
#include "rendition.h"

enum { MAILDIR_REASON_MAX_BYTES = 512 };

struct maildir_source;

/* One message into one mailbox. Everything pointed to stays until the delivery is over. */
struct maildir_request {
    const struct message_content *content;
    struct span queue_id;
    struct span reverse_path;
    struct span recipient;          /* names the delivery, and Delivered-To */
    struct span original_recipient; /* X-Original-To; empty: none */
    struct span host;               /* for the file name */
    unsigned action;
    uint64_t size_limit_bytes; /* of the content; 0: none */
    struct quota quota;        /* of the mailbox, by setting; 0: what its maildirsize says */
    bool is_full_for_good;     /* past the quota: 552 and not 452 */
    bool has_delivered_to;
    bool refuses_loops;
    bool is_maybe_repeated;
    bool avoids_unnamed; /* the file gets a name in tmp/ from the start */
    struct maildir_place place;
    /* Called when the message is complete in tmp/, before it has its name in new/. NULL: nobody
     * else wants this file. */
    void (*share)(const struct maildir_source *source, void *context);
    void *share_context;
};

/* A message that is complete and may be given further names, in mailboxes of the same owner. */
struct maildir_source {
    const struct maildir *mailbox;
    const char *tmp_name;
    int descriptor;
    uint64_t size_bytes;
};

struct maildir_result {
    struct outcome outcome; /* its reason points into text */
    bool is_corrupt;        /* the content is not what was queued */
    uint64_t offset;        /* of the message in a mailbox file, when it is there */
    char text[MAILDIR_REASON_MAX_BYTES];
};

/* A file that stands in new/ and is not flushed yet. */
struct maildir_file {
    int descriptor; /* -1: none */
    char name[MAILDIR_NAME_MAX_BYTES + 1];
    bool lacks_unnamed; /* with MAILDIR_WRITTEN: files without a name are not to be had here */
};

enum maildir_written {
    /* The message stands in new/ under file->name, to be flushed; *result says delivered and is
     * premature until then. When an earlier self was found, file is that one. */
    MAILDIR_WRITTEN,
    MAILDIR_FAILED, /* *result says why; nothing is left behind */
    MAILDIR_GONE    /* the open directories are no longer there: open the mailbox again */
};

/* serial and process_id: together they differ between all deliveries of this machine. */
MUST_USE enum maildir_written maildir_write(const struct maildir_request *request,
                                            const struct maildir *mailbox,
                                            struct rendition_space *space, pid_t process_id,
                                            uint64_t serial, struct maildir_file *file,
                                            struct maildir_result *result);

enum maildir_linked {
    MAILDIR_LINKED,       /* it stands in new/ under file->name; file->descriptor is -1 */
    MAILDIR_NOT_LINKED,   /* it needs a file of its own */
    MAILDIR_LINK_REFUSED, /* *result says why it may not be there at all */
};
/* A further name for another request's file. */
MUST_USE enum maildir_linked maildir_link(const struct maildir_request *request,
                                          const struct maildir *mailbox,
                                          const struct maildir_source *source,
                                          struct maildir_file *file, struct maildir_result *result);

/* Makes it durable and closes it. False, with *result and nothing left behind: it is not. */
MUST_USE bool maildir_flush(const struct maildir *mailbox, struct maildir_file *file,
                            struct maildir_result *result);
/* What maildir_flush() does when it fails, for a file that others could not flush. */
void maildir_take_back(const struct maildir *mailbox, struct maildir_file *file, int error_number,
                       struct maildir_result *result);
/* Closes a file that others have flushed. */
void maildir_file_close(struct maildir_file *file);

/* Sets an outcome from errno; what: "create file in tmp". */
void maildir_fail(struct maildir_result *result, int error_number, const char *what);

#endif
