/* system/file_watch - news of files by their names: one was written anew, another was put in its
 * place, or a symbolic link on the way to it was turned. Files are named while they can be seen,
 * before a sandbox closes; news comes over one descriptor, which needs no rights.
 * Interface: file_watch_*(). Caller: keyd. */
#ifndef SYSTEM_FILE_WATCH_H
#define SYSTEM_FILE_WATCH_H

#include "base/list.h"

struct file_watch {
    int descriptor; /* readable when there may be news; -1: there is none */
    struct list steps;
};

/* False and errno when the kernel has no room for it: then nothing is ever news. */
MUST_USE bool file_watch_open(struct file_watch *watch);
void file_watch_close(struct file_watch *watch);
/* An absolute path; the file need not be there yet. 0, or -1 and errno. */
MUST_USE int file_watch_add(struct file_watch *watch, const char *path);
/* Has anything happened to one of them since the last question? */
MUST_USE bool file_watch_has_news(struct file_watch *watch);

#endif
