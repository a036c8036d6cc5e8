/* system/filelock - see filelock.h. */
#include "system/filelock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "system/file.h"

unsigned filelock_kinds_from_names(struct span names)
{
    unsigned kinds = 0;
    for (struct span word; span_next_word(&names, ", \t\r\n", &word);) {
        if (span_equals(word, SPAN("fcntl")))
            kinds |= FILELOCK_FCNTL;
        else if (span_equals(word, SPAN("flock")))
            kinds |= FILELOCK_FLOCK;
        else if (span_equals(word, SPAN("dotlock")))
            kinds |= FILELOCK_DOTLOCK;
    }
    return kinds;
}

static void wait_a_while(const struct filelock_rules *rules)
{
    const struct timespec pause = {.tv_sec = rules->delay_ms / 1000,
                                   .tv_nsec = rules->delay_ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL); /* shorter is fine, too */
}

/* Whoever made it may have died since. */
static void remove_if_stale(const struct filelock_rules *rules, const struct filelock_dot *dot)
{
    struct stat status;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with these arguments */
    if (fstatat(dot->directory, dot->name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        (now.tv_sec - status.st_ctim.tv_sec) * 1000 > rules->stale_ms)
        (void)unlinkat(dot->directory, dot->name, 0); /* else it is still there at the next try */
}

int filelock_take_dot(const struct filelock_rules *rules, int directory, const char *name,
                      struct filelock_dot *dot)
{
    dot->directory = directory;
    dot->is_held = false;
    if (!(rules->kinds & FILELOCK_DOTLOCK))
        return 0;
    const int length = snprintf(dot->name, sizeof(dot->name), "%s.lock", name);
    if (length < 0 || (size_t)length >= sizeof(dot->name)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (unsigned attempt = 0;; attempt++) {
        const int lock = openat(directory, dot->name,
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (lock >= 0) {
            file_close(lock);
            dot->is_held = true;
            return 0;
        }
        if ((errno == EACCES || errno == EPERM || errno == EROFS) &&
            (rules->kinds & (FILELOCK_FCNTL | FILELOCK_FLOCK)))
            return 0;
        if (errno != EEXIST)
            return -1;
        if (attempt + 1 >= rules->attempts) {
            errno = EEXIST;
            return -1;
        }
        remove_if_stale(rules, dot);
        wait_a_while(rules);
    }
}

void filelock_release_dot(struct filelock_dot *dot)
{
    if (dot->is_held)
        (void)unlinkat(dot->directory, dot->name, 0); /* it is stale one day */
    dot->is_held = false;
}

static int try_locks(const struct filelock_rules *rules, int descriptor)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if ((rules->kinds & FILELOCK_FCNTL) && fcntl(descriptor, F_OFD_SETLK, &whole) != 0)
        return -1;
    if ((rules->kinds & FILELOCK_FLOCK) && flock(descriptor, LOCK_EX | LOCK_NB) != 0)
        return -1;
    return 0;
}

int filelock_take(const struct filelock_rules *rules, int descriptor)
{
    for (unsigned attempt = 0; try_locks(rules, descriptor) != 0; attempt++) {
        if ((errno != EAGAIN && errno != EACCES && errno != EWOULDBLOCK && errno != EINTR) ||
            attempt + 1 >= rules->attempts)
            return -1;
        wait_a_while(rules);
    }
    return 0;
}
