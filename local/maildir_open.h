/* local/maildir_open - an open Maildir: found or made, proven to lie where it may, and kept open
 * for a moment, because mail comes in bursts. Callers: local/maildir (in threads),
 * local/maildir_cache (in the loop). */
#ifndef LOCAL_MAILDIR_OPEN_H
#define LOCAL_MAILDIR_OPEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/span.h"

/* A path component is a file name of 255 bytes at most, on every file system that we meet. */
enum { MAILDIR_PATH_MAX_BYTES = 1024 };

/* Any owner will do. */
#define MAILDIR_ANY_OWNER ((uid_t)-1)

struct maildir_place {
    int base;                              /* directory that the path begins in */
    char path[MAILDIR_PATH_MAX_BYTES + 1]; /* relative, without a slash at either end */
    bool is_confined;                      /* no step, and no symbolic link, leads out of base */
    uid_t owner;                           /* who must own the mailbox directory */
};

enum maildir_path_result { MAILDIR_PATH_OK, MAILDIR_PATH_TOO_LONG, MAILDIR_PATH_REFUSED };

/* Takes slashes off both ends. Refused: nothing left, an empty component, "." or "..", or a control
 * character. */
MUST_USE enum maildir_path_result maildir_place_set_path(struct maildir_place *place,
                                                         struct span path);

struct maildir {
    int directory; /* the Maildir itself */
    int tmp;
    int new;
    dev_t device;
    bool needs_directory_sync; /* flushing a file does not make its name durable here */
    bool has_quota_file;       /* or may have one */
};

/* Opens the Maildir, and makes what is missing of it with mode 0700. 0, or -1 with errno: EPERM
 * when the directory has another owner, EXDEV when something would lead out of a confined place. */
MUST_USE int maildir_open(struct maildir *mailbox, const struct maildir_place *place);
/* Opens the directory that the last component of the path lies in, made where it is missing, and
 * says which component that is. -1 with errno. */
MUST_USE int maildir_open_parent(const struct maildir_place *place, const char **name);
/* Opens one of the mailbox's own directories ("cur") for listing. */
MUST_USE int maildir_open_part(const struct maildir *mailbox, const char *name, bool is_confined);
void maildir_close(struct maildir *mailbox);

#endif
