/* qmgr/space - see space.h. */
#include "space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "intake_peer.h"
#include "report.h"
#include "scan.h"
#include "schedule.h"
#include "system/clock.h"

enum { INTERVAL_MS = 1000, NEARLY_FULL_BYTES = 256 << 10, INODES_LEFT = 100 };

static const char reserve_name[] = "reserve";

enum reserve_state {
    RESERVE_UNKNOWN,
    RESERVE_WHOLE,
    RESERVE_SPENT,  /* nothing comes in until it is whole again */
    RESERVE_MISSING /* there never was room for it */
};

struct space {
    struct qmgr *qmgr;
    struct loop_timer timer;
    uint64_t free_bytes;
    enum reserve_state reserve;
    bool is_spending; /* wanted, at the next look */
};

enum reserve_wish { RESERVE_KEEP, RESERVE_MAKE, RESERVE_SPEND };

struct space_job {
    struct pool_job job;
    struct space *space;
    int directory;
    enum reserve_wish wish;
    uint64_t reserve_bytes;
    uint64_t free_bytes;
    bool is_known;
    bool is_reserve_made, is_reserve_spent;
};

bool space_is_short(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

static void spend(struct space_job *job)
{
    const int descriptor = openat(job->directory, reserve_name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    job->is_reserve_spent = descriptor >= 0 && ftruncate(descriptor, 0) == 0;
    file_close(descriptor);
}

/* Blocks that are promised, not a hole: only then there is something to give. */
static void make(struct space_job *job)
{
    const int descriptor =
        openat(job->directory, reserve_name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat facts;
    if (descriptor < 0)
        return;
    const off_t size = (off_t)job->reserve_bytes;
    job->is_reserve_made =
        fstat(descriptor, &facts) == 0 &&
        ((facts.st_size == size && facts.st_blocks * 512 >= size) ||
         (ftruncate(descriptor, 0) == 0 && posix_fallocate(descriptor, 0, size) == 0));
    if (!job->is_reserve_made)
        (void)!ftruncate(descriptor, 0);
    file_close(descriptor);
}

static void look(struct pool_job *pool_job)
{
    struct space_job *job = CONTAINER_OF(pool_job, struct space_job, job);
    struct statvfs facts;
    if (job->wish == RESERVE_SPEND)
        spend(job);
    else if (job->wish == RESERVE_MAKE)
        make(job);
    job->is_known = fstatvfs(job->directory, &facts) == 0;
    if (!job->is_known)
        return;
    job->free_bytes = (uint64_t)facts.f_bavail * facts.f_frsize;
    /* File systems without a fixed inode table say 0 of 0. */
    if (facts.f_files != 0 && facts.f_favail < INODES_LEFT)
        job->free_bytes = 0;
}

/* As in Postfix: room for one and a half of the largest message, or queue_minfree. */
static uint64_t minimum_bytes(const struct conf_qmgr *settings)
{
    const uint64_t least = settings->message_size_limit + settings->message_size_limit / 2;
    return least > settings->queue_minfree ? least : settings->queue_minfree;
}

static void consider_reserve(struct space *space, const struct space_job *job)
{
    struct maillog *log = &space->qmgr->service->log;
    if (job->is_reserve_spent) {
        space->reserve = RESERVE_SPENT;
        maillog_text(log, LOG_LEVEL_WARNING, span_empty(),
                     "the queue file system is full: the reserve of %llu bytes is given to marks "
                     "and reports",
                     (unsigned long long)job->reserve_bytes);
    } else if (job->is_reserve_made) {
        if (space->reserve == RESERVE_SPENT)
            maillog_text(log, LOG_LEVEL_INFO, span_empty(),
                         "the reserve on the queue file system is whole again");
        space->reserve = RESERVE_WHOLE;
    } else if (job->wish == RESERVE_MAKE && space->reserve == RESERVE_UNKNOWN) {
        space->reserve = RESERVE_MISSING;
    }
    if (job->is_known && job->free_bytes < NEARLY_FULL_BYTES)
        space->is_spending = space->reserve == RESERVE_WHOLE;
}

static void consider_intake(struct space *space, const struct space_job *job)
{
    struct qmgr *qmgr = space->qmgr;
    const bool was_ok = outcome_is_ok(&qmgr->intake_state);
    const bool is_ok = (!job->is_known || job->free_bytes >= minimum_bytes(qmgr->settings)) &&
                       space->reserve != RESERVE_SPENT;
    qmgr->available_bytes = !job->is_known ? UINT64_MAX : is_ok ? job->free_bytes : 0;
    qmgr->intake_state =
        is_ok ? outcome_ok() : outcome_temporary(452, 3, 1, "Insufficient system storage");
    if (was_ok != is_ok)
        maillog_text(&qmgr->service->log, is_ok ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, span_empty(),
                     is_ok ? "enough space on the queue file system again"
                           : "not enough free space on the queue file system; mail is put off");
    const bool is_news = was_ok != is_ok || !qmgr->is_space_known;
    qmgr->is_space_known = true;
    if (is_news)
        intake_peer_tell_state(qmgr);
}

static void looked(struct pool_job *pool_job)
{
    struct space_job *job = CONTAINER_OF(pool_job, struct space_job, job);
    job->space->free_bytes = job->is_known ? job->free_bytes : 0;
    consider_reserve(job->space, job);
    consider_intake(job->space, job);
    loop_timer_set(&job->space->timer, clock_deadline_after(INTERVAL_MS));
    free(job);
}

static enum reserve_wish next_wish(const struct space *space)
{
    const struct conf_qmgr *settings = space->qmgr->settings;
    if (settings->queue_reserve_size == 0)
        return RESERVE_KEEP;
    if (space->reserve == RESERVE_UNKNOWN)
        return RESERVE_MAKE;
    if (space->reserve == RESERVE_WHOLE)
        return space->is_spending ? RESERVE_SPEND : RESERVE_KEEP;
    const uint64_t needed = minimum_bytes(settings) + settings->queue_reserve_size;
    return space->free_bytes >= needed ? RESERVE_MAKE : RESERVE_KEEP;
}

bool space_trusts_clock(struct qmgr *qmgr)
{
    const int64_t boottime_ms = clock_boottime_ms();
    const int64_t jump_ms = steady_look(&qmgr->steady, clock_realtime_us(), boottime_ms);
    if (jump_ms == 0)
        return steady_is_trusted(&qmgr->steady, boottime_ms);
    maillog_text(&qmgr->service->log, LOG_LEVEL_WARNING, span_empty(),
                 "the clock was set %s by %lld s; nothing expires for an hour",
                 jump_ms > 0 ? "forward" : "back", (long long)llabs(jump_ms / 1000));
    scan_clock_changed(qmgr);
    return false;
}

static void each_second(void *context)
{
    struct space *space = context;
    struct qmgr *qmgr = space->qmgr;
    struct space_job *job = calloc(1, sizeof(*job));
    (void)!space_trusts_clock(qmgr); /* a jump is noted, whether anybody asks or not */
    schedule_sweep(qmgr);
    report_give_up_waiting(qmgr);
    if (!job) {
        loop_timer_set(&space->timer, clock_deadline_after(INTERVAL_MS));
        return;
    }
    job->job.work = look;
    job->job.done = looked;
    job->space = space;
    job->directory = qmgr->queue_directory;
    job->reserve_bytes = qmgr->settings->queue_reserve_size;
    job->wish = next_wish(space);
    space->is_spending = false;
    pool_submit(qmgr->pool, &job->job);
}

void space_start(struct qmgr *qmgr)
{
    struct space *space = calloc(1, sizeof(*space));
    ASSERT(space); /* at the start, and without it intake would never open */
    space->qmgr = qmgr;
    qmgr->space = space;
    loop_timer_init(&space->timer, qmgr->loop, each_second, space);
    each_second(space);
}

void space_spend_reserve(struct qmgr *qmgr)
{
    if (qmgr->space && qmgr->space->reserve == RESERVE_WHOLE)
        qmgr->space->is_spending = true;
}
