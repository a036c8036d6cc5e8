/* system/pool - see pool.h.
 * Jobs go to the threads once per turn of the loop. One sleeping thread is woken at a time: it
 * wakes the next when it finds more than its own job, so that short jobs are done by a thread that
 * is awake anyway, and long ones get a thread each. The loop is woken once for a batch of results.
 */
#include "system/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "system/file.h"
#include "system/task.h"

enum { POOL_THREAD_STACK_BYTES = 256 * 1024 };

struct pool {
    struct loop *loop;
    struct event event;
    int wake_descriptor;
    size_t pending_count;  /* the loop's own count */
    struct list submitted; /* in this turn; the loop's own */
    struct loop_hook hook;
    pthread_mutex_t mutex;
    pthread_cond_t has_work;
    struct list waiting; /* the rest under the mutex */
    struct list finished;
    size_t sleeping_count;
    size_t waking_count; /* of those, signalled and not yet awake */
    bool is_stopping;
    size_t thread_count;
    pthread_t threads[];
};

static void tell_loop(const struct pool *pool)
{
    const uint64_t one = 1;
    /* Fails only when the counter is full, and then the loop is awake anyway. */
    const ssize_t ignored = write(pool->wake_descriptor, &one, sizeof(one));
    (void)ignored;
}

/* Under the mutex: whether the caller has to signal, after it has let go of it. Who is on its way
 * will see to the rest. */
static bool must_wake(struct pool *pool)
{
    if (list_is_empty(&pool->waiting) || pool->waking_count > 0 || pool->sleeping_count == 0)
        return false;
    pool->waking_count++;
    return true;
}

static void sleep_until_work(struct pool *pool)
{
    while (list_is_empty(&pool->waiting) && !pool->is_stopping) {
        pool->sleeping_count++;
        (void)pthread_cond_wait(&pool->has_work, &pool->mutex);
        pool->sleeping_count--;
        if (pool->waking_count > 0)
            pool->waking_count--;
    }
}

static void *thread_main(void *argument)
{
    struct pool *pool = argument;
    bool must_tell = false;
    (void)pthread_mutex_lock(&pool->mutex);
    for (;;) {
        if (must_tell && list_is_empty(&pool->waiting)) {
            (void)pthread_mutex_unlock(&pool->mutex);
            tell_loop(pool);
            must_tell = false;
            (void)pthread_mutex_lock(&pool->mutex);
        }
        sleep_until_work(pool);
        if (pool->is_stopping)
            break;
        struct pool_job *job = LIST_ITEM(list_pop(&pool->waiting), struct pool_job, link);
        const bool wakes_next = must_wake(pool);
        (void)pthread_mutex_unlock(&pool->mutex);
        if (wakes_next)
            (void)pthread_cond_signal(&pool->has_work);
        if (must_tell)
            tell_loop(pool);
        job->work(job);
        (void)pthread_mutex_lock(&pool->mutex);
        must_tell = list_is_empty(&pool->finished);
        list_append(&pool->finished, &job->link);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

static void on_finished(evutil_socket_t descriptor, short what, void *context)
{
    struct pool *pool = context;
    uint64_t count;
    (void)what;
    const ssize_t ignored = read(descriptor, &count, sizeof(count));
    (void)ignored; /* a spurious wake-up finds an empty list */
    struct list batch;
    struct list_link *link;
    list_init(&batch);
    (void)pthread_mutex_lock(&pool->mutex);
    while ((link = list_pop(&pool->finished)) != NULL)
        list_append(&batch, link);
    (void)pthread_mutex_unlock(&pool->mutex);
    while ((link = list_pop(&batch)) != NULL) {
        struct pool_job *job = LIST_ITEM(link, struct pool_job, link);
        pool->pending_count--;
        job->done(job);
    }
}

static void on_turn_end(struct loop_hook *hook)
{
    struct pool *pool = CONTAINER_OF(hook, struct pool, hook);
    struct list_link *link;
    (void)pthread_mutex_lock(&pool->mutex);
    while ((link = list_pop(&pool->submitted)) != NULL)
        list_append(&pool->waiting, link);
    const bool wakes_one = must_wake(pool);
    (void)pthread_mutex_unlock(&pool->mutex);
    if (wakes_one)
        (void)pthread_cond_signal(&pool->has_work);
}

static bool start_threads(struct pool *pool, size_t thread_count)
{
    static const int breakdowns[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    sigset_t all, saved;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    (void)pthread_attr_setstacksize(&attributes, POOL_THREAD_STACK_BYTES);
    (void)sigfillset(&all);
    for (size_t i = 0; i < ARRAY_LENGTH(breakdowns); i++)
        (void)sigdelset(&all, breakdowns[i]); /* system/note.c wants to hear of them */
    (void)sigdelset(&all, SIGSYS); /* the sandbox answers a refused call in place; blocked: kills */
    (void)pthread_sigmask(SIG_SETMASK, &all, &saved);
    while (pool->thread_count < thread_count &&
           pthread_create(&pool->threads[pool->thread_count], &attributes, thread_main, pool) == 0)
        pool->thread_count++;
    (void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
    (void)pthread_attr_destroy(&attributes);
    return pool->thread_count == thread_count;
}

/* What is done under it takes less than going to sleep for it. */
static void init_mutex(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    (void)pthread_mutex_init(mutex, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
}

struct pool *pool_create(struct loop *loop, size_t thread_count)
{
    struct pool *pool = calloc(1, sizeof(*pool) + thread_count * sizeof(pool->threads[0]));
    if (!pool)
        return NULL;
    pool->loop = loop;
    list_init(&pool->submitted);
    list_init(&pool->waiting);
    pool->hook.run = on_turn_end;
    list_init(&pool->finished);
    init_mutex(&pool->mutex);
    (void)pthread_cond_init(&pool->has_work, NULL);
    pool->wake_descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (pool->wake_descriptor < 0 ||
        event_assign(&pool->event, loop_event_base(loop), pool->wake_descriptor,
                     EV_READ | EV_PERSIST, on_finished, pool) != 0 ||
        event_add(&pool->event, NULL) != 0) {
        file_close(pool->wake_descriptor);
        free(pool);
        return NULL;
    }
    if (!start_threads(pool, thread_count))
        pool_destroy(&pool);
    return pool;
}

void pool_destroy(struct pool **pool)
{
    if (!*pool)
        return;
    (void)pthread_mutex_lock(&(*pool)->mutex);
    (*pool)->is_stopping = true;
    (void)pthread_cond_broadcast(&(*pool)->has_work);
    (void)pthread_mutex_unlock(&(*pool)->mutex);
    for (size_t i = 0; i < (*pool)->thread_count; i++)
        (void)pthread_join((*pool)->threads[i], NULL);
    (void)event_del(&(*pool)->event);
    loop_hook_cancel((*pool)->loop, &(*pool)->hook);
    file_close((*pool)->wake_descriptor);
    (void)pthread_cond_destroy(&(*pool)->has_work);
    (void)pthread_mutex_destroy(&(*pool)->mutex);
    free(*pool);
    *pool = NULL;
}

void pool_submit(struct pool *pool, struct pool_job *job)
{
    pool->pending_count++;
    list_append(&pool->submitted, &job->link);
    loop_hook_request(pool->loop, &pool->hook);
}

size_t pool_pending_count(const struct pool *pool)
{
    return pool->pending_count;
}

struct task_job {
    struct pool_job job;
    void (*work)(void *argument);
    void *argument;
    struct task *task;
    bool is_done;
};

static void task_job_work(struct pool_job *job)
{
    struct task_job *task_job = CONTAINER_OF(job, struct task_job, job);
    task_job->work(task_job->argument);
}

static void task_job_done(struct pool_job *job)
{
    struct task_job *task_job = CONTAINER_OF(job, struct task_job, job);
    task_job->is_done = true;
    task_wake(task_job->task);
}

void pool_run(struct pool *pool, void (*work)(void *argument), void *argument)
{
    struct task_job task_job = {.job = {.work = task_job_work, .done = task_job_done},
                                .work = work,
                                .argument = argument,
                                .task = task_current()};
    pool_submit(pool, &task_job.job);
    /* The job lives on this stack: even a cancelled task stays until the thread is through. */
    while (!task_job.is_done)
        task_park_uncancelled();
}
