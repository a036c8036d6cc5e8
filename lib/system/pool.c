/* system/pool - see pool.h.
 * A sleeping thread is woken only when there is one, and the loop once for a batch of results. */
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
    size_t pending_count; /* the loop's own count */
    pthread_mutex_t mutex;
    pthread_cond_t has_work;
    struct list waiting; /* the rest under the mutex */
    struct list finished;
    size_t sleeping_count;
    bool is_stopping;
    size_t thread_count;
    pthread_t threads[];
};

static void *thread_main(void *argument)
{
    struct pool *pool = argument;
    (void)pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (list_is_empty(&pool->waiting) && !pool->is_stopping) {
            pool->sleeping_count++;
            (void)pthread_cond_wait(&pool->has_work, &pool->mutex);
            pool->sleeping_count--;
        }
        if (pool->is_stopping)
            break;
        struct pool_job *job = LIST_ITEM(list_pop(&pool->waiting), struct pool_job, link);
        (void)pthread_mutex_unlock(&pool->mutex);
        job->work(job);
        (void)pthread_mutex_lock(&pool->mutex);
        const bool is_first = list_is_empty(&pool->finished);
        list_append(&pool->finished, &job->link);
        if (is_first) {
            const uint64_t one = 1;
            (void)pthread_mutex_unlock(&pool->mutex);
            /* Fails only when the counter is full, and then the loop is awake anyway. */
            const ssize_t ignored = write(pool->wake_descriptor, &one, sizeof(one));
            (void)ignored;
            (void)pthread_mutex_lock(&pool->mutex);
        }
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

static bool start_threads(struct pool *pool, size_t thread_count)
{
    sigset_t all, saved;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    (void)pthread_attr_setstacksize(&attributes, POOL_THREAD_STACK_BYTES);
    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGSYS); /* the sandbox answers a refused call in place; blocked: kills */
    (void)pthread_sigmask(SIG_SETMASK, &all, &saved);
    while (pool->thread_count < thread_count &&
           pthread_create(&pool->threads[pool->thread_count], &attributes, thread_main, pool) == 0)
        pool->thread_count++;
    (void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
    (void)pthread_attr_destroy(&attributes);
    return pool->thread_count == thread_count;
}

struct pool *pool_create(struct loop *loop, size_t thread_count)
{
    struct pool *pool = calloc(1, sizeof(*pool) + thread_count * sizeof(pool->threads[0]));
    if (!pool)
        return NULL;
    pool->loop = loop;
    list_init(&pool->waiting);
    list_init(&pool->finished);
    (void)pthread_mutex_init(&pool->mutex, NULL);
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
    file_close((*pool)->wake_descriptor);
    (void)pthread_cond_destroy(&(*pool)->has_work);
    (void)pthread_mutex_destroy(&(*pool)->mutex);
    free(*pool);
    *pool = NULL;
}

void pool_submit(struct pool *pool, struct pool_job *job)
{
    pool->pending_count++;
    (void)pthread_mutex_lock(&pool->mutex);
    list_append(&pool->waiting, &job->link);
    const bool is_needed = pool->sleeping_count > 0;
    (void)pthread_mutex_unlock(&pool->mutex);
    if (is_needed)
        (void)pthread_cond_signal(&pool->has_work);
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
