/* system/file_watch - see file_watch.h. */
#include "system/file_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/file.h"

enum {
    LINKS_MAX = 40, /* as the kernel follows */
    STEPS_MAX = 4096,
    EVENTS_BYTES = 4096 - 512,
    READS_MAX = 256,
    /* Of an entry: written and closed, put there, made, or made readable. */
    OF_ENTRY = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ATTRIB,
    OF_DIRECTORY = IN_DELETE_SELF | IN_MOVE_SELF
};

/* An entry of a directory that the way to a file goes by: a link, or the file itself. */
struct step {
    struct list_link link;
    int directory; /* as the kernel numbers it */
    char name[];
};

bool file_watch_open(struct file_watch *watch)
{
    list_init(&watch->steps);
    watch->descriptor = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return watch->descriptor >= 0;
}

void file_watch_close(struct file_watch *watch)
{
    struct list_link *link;
    while ((link = list_pop(&watch->steps)) != NULL)
        free(LIST_ITEM(link, struct step, link));
    file_close(watch->descriptor);
    watch->descriptor = -1;
}

/* ---- the way to a file ---- */

struct walk {
    char done[PATH_MAX];    /* real directories; "" is the root */
    char pending[PATH_MAX]; /* what is still to be gone */
    char name[NAME_MAX + 1];
    char full[PATH_MAX];
    char target[PATH_MAX];
};

static int add_step(struct file_watch *watch, const char *directory, const char *name)
{
    const size_t length = strlen(name) + 1;
    const int number =
        inotify_add_watch(watch->descriptor, directory[0] ? directory : "/",
                          (uint32_t)OF_ENTRY | (uint32_t)OF_DIRECTORY | (uint32_t)IN_ONLYDIR);
    if (number < 0)
        return -1;
    LIST_FOR_EACH (&watch->steps, link) {
        const struct step *step = LIST_ITEM(link, struct step, link);
        if (step->directory == number && strcmp(step->name, name) == 0)
            return 0;
    }
    struct step *step = watch->steps.count < STEPS_MAX ? calloc(1, sizeof(*step) + length) : NULL;
    if (!step) {
        errno = ENOMEM;
        return -1;
    }
    step->directory = number;
    memcpy(step->name, name, length);
    list_append(&watch->steps, &step->link);
    return 0;
}

/* The next name of what is pending, which loses it. False at the end, and when it is too long. */
static bool next_name(struct walk *walk)
{
    const char *start = walk->pending + strspn(walk->pending, "/");
    const size_t length = strcspn(start, "/");
    if (length == 0 || length >= sizeof(walk->name))
        return false;
    memcpy(walk->name, start, length);
    walk->name[length] = '\0';
    memmove(walk->pending, start + length, strlen(start + length) + 1);
    return true;
}

static bool is_at_end(const struct walk *walk)
{
    return walk->pending[strspn(walk->pending, "/")] == '\0';
}

/* What the link says stands before what was pending. */
static bool follow(struct walk *walk)
{
    const ssize_t length = readlink(walk->full, walk->target, sizeof(walk->target) - 1);
    if (length <= 0)
        return false;
    walk->target[length] = '\0';
    const size_t rest = strlen(walk->pending);
    if ((size_t)length + 1 + rest >= sizeof(walk->pending))
        return false;
    memmove(walk->pending + length + 1, walk->pending, rest + 1);
    memcpy(walk->pending, walk->target, (size_t)length);
    walk->pending[length] = '/';
    if (walk->target[0] == '/')
        walk->done[0] = '\0';
    return true;
}

static void go_up(struct walk *walk)
{
    char *slash = strrchr(walk->done, '/');
    if (slash)
        *slash = '\0';
}

static int walk_path(struct file_watch *watch, struct walk *walk)
{
    struct stat facts;
    unsigned link_count = 0;
    while (next_name(walk)) {
        if (strcmp(walk->name, ".") == 0)
            continue;
        if (strcmp(walk->name, "..") == 0) {
            go_up(walk);
            continue;
        }
        if (snprintf(walk->full, sizeof(walk->full), "%s/%s", walk->done, walk->name) >=
            (int)sizeof(walk->full))
            break;
        if (lstat(walk->full, &facts) != 0) /* it may come yet */
            return add_step(watch, walk->done, walk->name);
        if (S_ISLNK(facts.st_mode)) {
            if (add_step(watch, walk->done, walk->name) != 0)
                return -1;
            if (++link_count > LINKS_MAX || !follow(walk))
                break;
        } else if (is_at_end(walk)) {
            return add_step(watch, walk->done, walk->name);
        } else {
            memcpy(walk->done, walk->full, sizeof(walk->done));
        }
    }
    errno = ELOOP;
    return -1;
}

int file_watch_add(struct file_watch *watch, const char *path)
{
    struct walk *walk = calloc(1, sizeof(*walk));
    int result = -1;
    if (walk && strlen(path) < sizeof(walk->pending)) {
        memcpy(walk->pending, path, strlen(path) + 1);
        result = walk_path(watch, walk);
    } else {
        errno = walk ? ENAMETOOLONG : ENOMEM;
    }
    free(walk);
    return result;
}

/* ---- news ---- */

static bool is_news(const struct file_watch *watch, const struct inotify_event *event)
{
    if (event->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF))
        return true;
    LIST_FOR_EACH (&watch->steps, link) {
        const struct step *step = LIST_ITEM(link, struct step, link);
        if (event->len > 0 && step->directory == event->wd && strcmp(step->name, event->name) == 0)
            return true;
    }
    return false;
}

bool file_watch_has_news(struct file_watch *watch)
{
    union {
        struct inotify_event first; /* for its alignment */
        char bytes[EVENTS_BYTES];
    } events;
    bool has_news = false;
    for (unsigned i = 0; i < READS_MAX; i++) {
        const ssize_t length = read(watch->descriptor, events.bytes, sizeof(events.bytes));
        if (length <= 0)
            break;
        for (size_t at = 0; at + sizeof(struct inotify_event) <= (size_t)length;) {
            const struct inotify_event *event = (const void *)(events.bytes + at);
            has_news = is_news(watch, event) || has_news;
            at += sizeof(*event) + event->len;
        }
    }
    return has_news;
}
