/* local/commit_work - see commit_private.h. */
#include "commit_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/file.h"

static struct rendition_space *take_space(struct commit *commit)
{
    (void)pthread_mutex_lock(&commit->mutex);
    struct rendition_space *space = commit->spaces;
    if (space)
        commit->spaces = space->next;
    (void)pthread_mutex_unlock(&commit->mutex);
    return space ? space : rendition_space_create();
}

static void give_space(struct commit *commit, struct rendition_space *space)
{
    (void)pthread_mutex_lock(&commit->mutex);
    space->next = commit->spaces;
    commit->spaces = space;
    (void)pthread_mutex_unlock(&commit->mutex);
}

const struct maildir *commit_mailbox(const struct commit_delivery *delivery)
{
    return delivery->opened.directory >= 0 ? &delivery->opened : &delivery->entry->mailbox;
}

static enum maildir_written write_to_mailbox(struct commit_delivery *delivery,
                                             struct rendition_space *space)
{
    return maildir_write(&delivery->request, commit_mailbox(delivery), space,
                         delivery->commit->process_id, delivery->serial, &delivery->file,
                         &delivery->result);
}

static bool open_mailbox(struct commit_delivery *delivery)
{
    if (maildir_open(&delivery->opened, &delivery->request.place) == 0)
        return true;
    maildir_fail(&delivery->result, errno,
                 errno == EPERM ? "the mailbox has another owner" : "open the mailbox");
    return false;
}

static int64_t clock_monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with these arguments */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void close_shared(struct commit_delivery *delivery)
{
    file_close(delivery->shared_descriptor);
    delivery->shared_descriptor = -1;
}

/* The name of one file among several: the file has been flushed, or could not be. */
static void take_flush(struct commit_delivery *delivery, int error_number)
{
    if (!delivery->is_written)
        return;
    const struct maildir *mailbox = commit_mailbox(delivery);
    if (error_number == 0 && mailbox->needs_directory_sync && fsync(mailbox->new) != 0)
        error_number = errno;
    delivery->is_written = error_number == 0;
    if (delivery->is_written)
        maildir_file_close(&delivery->file);
    else
        maildir_take_back(mailbox, &delivery->file, error_number, &delivery->result);
}

/* An earlier self may have been found in place of the file that the others share. */
static bool is_same_file(int left, int right)
{
    struct stat left_status, right_status;
    return fstat(left, &left_status) != 0 || fstat(right, &right_status) != 0 ||
           (left_status.st_ino == right_status.st_ino && left_status.st_dev == right_status.st_dev);
}

/* One flush makes all names durable: they were made in the file's own transaction. */
static void flush_shared(struct commit_delivery *delivery)
{
    const bool is_own = delivery->is_written &&
                        !is_same_file(delivery->file.descriptor, delivery->shared_descriptor);
    const int error_number = fsync(delivery->shared_descriptor) == 0 ? 0 : errno;
    for (struct commit_delivery *follower = delivery->followers; follower;
         follower = follower->next_follower)
        take_flush(follower, error_number);
    if (is_own)
        delivery->is_written =
            maildir_flush(commit_mailbox(delivery), &delivery->file, &delivery->result);
    else
        take_flush(delivery, error_number);
    close_shared(delivery);
}

static void flush_alone(struct commit_delivery *delivery)
{
    const int64_t start_us = clock_monotonic_us();
    if (delivery->shared_descriptor >= 0)
        flush_shared(delivery);
    else
        delivery->is_written =
            maildir_flush(commit_mailbox(delivery), &delivery->file, &delivery->result);
    delivery->flush_us = clock_monotonic_us() - start_us;
}

/* For maildir_request.share: further names for those who follow. */
void commit_link_followers(const struct maildir_source *source, void *context)
{
    struct commit_delivery *delivery = context;
    delivery->shared_descriptor = fcntl(source->descriptor, F_DUPFD_CLOEXEC, 0);
    for (struct commit_delivery *follower = delivery->followers;
         follower && delivery->shared_descriptor >= 0; follower = follower->next_follower) {
        enum maildir_linked linked = MAILDIR_LINK_REFUSED;
        if (follower->entry || open_mailbox(follower))
            linked = maildir_link(&follower->request, commit_mailbox(follower), source,
                                  &follower->file, &follower->result);
        follower->is_written = linked == MAILDIR_LINKED;
        follower->is_settled = linked != MAILDIR_NOT_LINKED;
    }
}

static void write_one(struct commit_delivery *delivery, struct rendition_space *space)
{
    enum maildir_written written = MAILDIR_FAILED;
    if (delivery->entry || open_mailbox(delivery)) {
        written = write_to_mailbox(delivery, space);
        if (written == MAILDIR_GONE && delivery->entry && open_mailbox(delivery))
            written = write_to_mailbox(delivery, space);
    }
    delivery->is_written = written == MAILDIR_WRITTEN;
    if (!delivery->is_written && delivery->shared_descriptor < 0)
        return;
    if (delivery->commit->policy == COMMIT_NO) {
        close_shared(delivery);
        maildir_file_close(&delivery->file);
    } else if (delivery->flushes_itself || !delivery->is_written) {
        flush_alone(delivery);
    }
}

void commit_deliver_work(struct pool_job *job)
{
    struct commit_delivery *first = CONTAINER_OF(job, struct commit_delivery, job);
    struct rendition_space *space = take_space(first->commit);
    if (space && first->next_in_batch)
        rendition_keep(space, first->request.content);
    for (struct commit_delivery *delivery = first; delivery; delivery = delivery->next_in_batch)
        if (space)
            write_one(delivery, space);
        else
            maildir_fail(&delivery->result, ENOMEM, "write the message");
    if (!space)
        return;
    rendition_forget(space);
    give_space(first->commit, space);
}

void commit_flush_group_work(struct pool_job *job)
{
    struct commit_group *group = CONTAINER_OF(job, struct commit_group, job);
    const struct commit_delivery *first =
        CONTAINER_OF(list_first(&group->flushing), struct commit_delivery, link);
    const int64_t start_us = clock_monotonic_us();
    const bool is_synced = syncfs(first->file.descriptor) == 0;
    group->flush_us = clock_monotonic_us() - start_us;
    /* An error there may be somebody else's file; each of ours still knows of its own. */
    LIST_FOR_EACH (&group->flushing, link) {
        struct commit_delivery *delivery = CONTAINER_OF(link, struct commit_delivery, link);
        if (is_synced) {
            close_shared(delivery);
            maildir_file_close(&delivery->file);
        } else {
            flush_alone(delivery);
        }
    }
}

void commit_flush_work(struct pool_job *job)
{
    flush_alone(CONTAINER_OF(job, struct commit_delivery, job));
}
