/* tests/lib/sandbox/promise - what each promise lets through, the paths and ports that it does
 * not, and the notes of refused calls. */
#include "sandbox_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/number.h"
#include "config.h"
#include "system/loop.h"
#include "system/pool.h"

/* A directory that both modes may use, with a file in it and one beside it. */
struct place {
    char base[40];
    char inside[64];
    char outside[64];
};

static void write_file(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0666), 0);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    assert_int_equal(close(fd), 0);
}

static void make_place(struct place *place)
{
    char path[128];
    (void)snprintf(place->base, sizeof(place->base), "/tmp/posthouse-sandbox-XXXXXX");
    assert_non_null(mkdtemp(place->base));
    assert_int_equal(chmod(place->base, 0777), 0);
    (void)snprintf(place->inside, sizeof(place->inside), "%s/inside", place->base);
    (void)snprintf(place->outside, sizeof(place->outside), "%s/outside", place->base);
    assert_int_equal(mkdir(place->inside, 0777), 0);
    assert_int_equal(chmod(place->inside, 0777), 0);
    assert_int_equal(mkdir(place->outside, 0777), 0);
    assert_int_equal(chmod(place->outside, 0777), 0);
    (void)snprintf(path, sizeof(path), "%s/file", place->inside);
    write_file(path);
    (void)snprintf(path, sizeof(path), "%s/file", place->outside);
    write_file(path);
}

static void remove_place(const struct place *place)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", place->base);
    assert_int_equal(system(command), 0);
}

/* ---- what everybody may do ---- */

static int compare_bytes(const void *left, const void *right)
{
    return memcmp(left, right, 64);
}

static void stop_loop(void *context)
{
    loop_stop(context);
}

static int do_common_things(void *context)
{
    (void)context;
    void *large = malloc(64U << 20);
    EXPECT(large);
    memset(large, 1, 64U << 20);
    qsort(large, 1000, 64, compare_bytes); /* asks for the size of memory */
    large = realloc(large, 128U << 20);
    EXPECT(large);
    free(large);
    struct timespec now;
    struct timeval also_now;
    EXPECT(syscall(SYS_clock_gettime, CLOCK_REALTIME, &now) == 0);
    EXPECT(gettimeofday(&also_now, NULL) == 0);
    struct tm broken_down;
    char text[64];
    EXPECT(localtime_r(&now.tv_sec, &broken_down));
    EXPECT(strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S %z %Z", &broken_down) > 0);
    uint8_t random_bytes[16];
    EXPECT(getentropy(random_bytes, sizeof(random_bytes)) == 0);
    (void)isatty(STDIN_FILENO);
    FILE *null_stream = fdopen(dup(STDIN_FILENO), "r");
    EXPECT(null_stream);
    (void)fgetc(null_stream);
    EXPECT(fclose(null_stream) == 0);
    uint8_t digest[EVP_MAX_MD_SIZE];
    EXPECT(EVP_Digest("abc", 3, digest, NULL, EVP_sha256(), NULL) == 1 && digest[0] == 0xba);
    EVP_MD *fetched = EVP_MD_fetch(NULL, "SHA2-512", NULL);
    EXPECT(fetched);
    EVP_MD_free(fetched);
    EXPECT(RAND_bytes(digest, sizeof(digest)) == 1);
    struct rlimit limit;
    EXPECT(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0);
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 40);
    struct stat status;
    EXPECT(fstat(STDIN_FILENO, &status) == 0);
    struct loop *loop = loop_create();
    EXPECT(loop);
    struct loop_timer timer;
    loop_timer_init(&timer, loop, stop_loop, loop);
    loop_timer_set(&timer, clock_monotonic_ms() + 1);
    loop_run(loop);
    loop_timer_release(&timer);
    loop_destroy(&loop);
    EXPECT(getuid() != 0 && geteuid() != 0);
    struct sandbox_note note;
    if (sandbox_next_note(&note)) {
        (void)fprintf(stderr, "refused: %s\n", note.call_name);
        return __LINE__;
    }
    return 0;
}

static void test_common_things_work(void **state)
{
    (void)state;
    const struct sandbox_profile profile = {
        .uid = TEST_UID, .gid = TEST_GID, .descriptor_limit = 40};
    expect_works("common", &profile, do_common_things, NULL);
}

/* ---- descriptors ---- */

static int look_at_descriptors(void *context)
{
    const int *fds = context;
    EXPECT(fcntl(fds[0], F_GETFD) >= 0);
    EXPECT(fcntl(fds[1], F_GETFD) < 0 && errno == EBADF);
    EXPECT(fcntl(fds[2], F_GETFD) >= 0);
    return 0;
}

static void test_descriptors_are_closed(void **state)
{
    (void)state;
    int fds[3];
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        assert_true((fds[i] = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)) >= 0);
    const int kept[] = {fds[2], fds[0], STDIN_FILENO, fds[2]};
    const struct sandbox_profile profile = {
        .uid = TEST_UID, .gid = TEST_GID, .kept_fds = kept, .kept_fd_count = ARRAY_LENGTH(kept)};
    expect_works("descriptors", &profile, look_at_descriptors, fds);
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        (void)close(fds[i]);
}

static int use_content(void *context)
{
    const int fd = *(const int *)context;
    char bytes[8];
    const struct iovec parts[] = {{(char[]){"body"}, 4}, {(char[]){"header"}, 6}};
    EXPECT(pwritev(fd, parts, 2, 100) == 10);
    EXPECT(pwrite(fd, "x", 1, 0) == 1);
    EXPECT(pread(fd, bytes, 4, 100) == 4 && memcmp(bytes, "body", 4) == 0);
    EXPECT(lseek(fd, 0, SEEK_END) == 110);
    EXPECT(ftruncate(fd, 50) == 0);
    EXPECT(fsync(fd) == 0 && fdatasync(fd) == 0);
    return 0;
}

static void test_content_descriptors(void **state)
{
    (void)state;
    char path[] = "/tmp/posthouse-sandbox-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    const struct sandbox_profile profile = {.promises =
                                                SANDBOX_READ_FD | SANDBOX_WRITE_FD | SANDBOX_SYNC,
                                            .uid = TEST_UID,
                                            .gid = TEST_GID,
                                            .kept_fds = &fd,
                                            .kept_fd_count = 1};
    expect_works("content", &profile, use_content, &fd);
    (void)close(fd);
}

/* ---- threads ---- */

struct count_job {
    struct pool_job job;
    struct loop *loop;
    struct pool *pool;
    atomic_uint *refused;
};

enum { THREAD_BLOCKS = 200, THREAD_BLOCK_BYTES = 40000, JOB_COUNT = 64 };

/* Enough memory for the thread's heap to grow and to shrink; a refused call must reach the handler
 * from here, too. */
static void work_in_thread(struct pool_job *job)
{
    const struct count_job *count = CONTAINER_OF(job, struct count_job, job);
    void *blocks[THREAD_BLOCKS];
    for (size_t i = 0; i < THREAD_BLOCKS; i++)
        if ((blocks[i] = malloc(THREAD_BLOCK_BYTES)))
            memset(blocks[i], 1, THREAD_BLOCK_BYTES);
    for (size_t i = THREAD_BLOCKS; i-- > 0;)
        free(blocks[i]);
    if (syscall(SYS_shmget, 0L, 4096L, 0600L) < 0 && errno == ENOSYS)
        atomic_fetch_add(count->refused, 1);
}

static void done_in_loop(struct pool_job *job)
{
    const struct count_job *count = CONTAINER_OF(job, struct count_job, job);
    if (pool_pending_count(count->pool) == 0)
        loop_stop(count->loop);
}

static int use_threads(void *context)
{
    (void)context;
    struct loop *loop = loop_create();
    EXPECT(loop);
    struct pool *pool = pool_create(loop, 16);
    EXPECT(pool);
    atomic_uint refused = 0;
    struct count_job *jobs = calloc(JOB_COUNT, sizeof(*jobs));
    EXPECT(jobs);
    for (size_t i = 0; i < JOB_COUNT; i++) {
        jobs[i] = (struct count_job){
            {.work = work_in_thread, .done = done_in_loop}, loop, pool, &refused};
        pool_submit(pool, &jobs[i].job);
    }
    loop_run(loop);
    pool_destroy(&pool);
    loop_destroy(&loop);
    free(jobs);
    EXPECT(atomic_load(&refused) == JOB_COUNT);
    struct sandbox_note note;
    EXPECT(sandbox_next_note(&note) && strcmp(note.call_name, "shmget") == 0);
    EXPECT(!sandbox_next_note(&note));
    return 0;
}

static void test_threads(void **state)
{
    (void)state;
    const struct sandbox_profile profile = {
        .promises = SANDBOX_THREADS, .uid = TEST_UID, .gid = TEST_GID};
    expect_works("threads", &profile, use_threads, NULL);
}

static void *wait_in_thread(void *fd)
{
    char byte;
    return read(*(int *)fd, &byte, 1) < 0 ? NULL : fd;
}

static int enter_with_thread(void *context)
{
    (void)context;
    int ends[2];
    pthread_t thread;
    struct sandbox_error error;
    const struct sandbox_profile profile = {.uid = SANDBOX_SAME_USER, .gid = SANDBOX_SAME_GROUP};
    EXPECT(pipe(ends) == 0);
    EXPECT(pthread_create(&thread, NULL, wait_in_thread, &ends[0]) == 0);
    EXPECT(!sandbox_enter(&profile, &error) && error.error_number == EBUSY);
    EXPECT(close(ends[1]) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    return 0;
}

static void test_refuses_to_enter_with_a_second_thread(void **state)
{
    (void)state;
    const pid_t child = fork();
    if (child == 0)
        _exit(enter_with_thread(NULL) ? 1 : 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- files ---- */

static bool open_fails_with(const char *directory, const char *name, int flags, int error_number)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    const int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)close(fd);
    return error_number ? fd < 0 && errno == error_number : fd >= 0;
}

static int read_files(void *context)
{
    const struct place *place = context;
    EXPECT(open_fails_with(place->inside, "file", O_RDONLY, 0));
    EXPECT(open_fails_with(place->inside, "file", O_RDWR, ENOSYS));
    EXPECT(open_fails_with(place->inside, "new", O_WRONLY | O_CREAT, ENOSYS));
    EXPECT(open_fails_with(place->outside, "file", O_RDONLY, EACCES));
    DIR *directory = opendir(place->inside);
    EXPECT(directory && readdir(directory));
    EXPECT(closedir(directory) == 0);
    EXPECT(!opendir(place->outside) && errno == EACCES);
    return 0;
}

static int change_files(void *context)
{
    const struct place *place = context;
    EXPECT(open_fails_with(place->outside, "file", O_WRONLY, EACCES));
    EXPECT(open_fails_with(place->outside, "new", O_WRONLY | O_CREAT, EACCES));
    const int directory = open(place->inside, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    EXPECT(directory >= 0);
    EXPECT(mkdirat(directory, "new", 0700) == 0 && mkdirat(directory, "tmp", 0700) == 0);
    const int fd = openat(directory, "tmp/message", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    EXPECT(fd >= 0);
    EXPECT(write(fd, "content", 7) == 7);
    EXPECT(renameat(directory, "tmp/message", directory, "new/message") == 0);
    EXPECT(fsync(fd) == 0 && close(fd) == 0);
    EXPECT(linkat(directory, "new/message", directory, "new/link", 0) == 0);
    struct statvfs space;
    EXPECT(fstatvfs(directory, &space) == 0);
    EXPECT(unlinkat(directory, "new/link", 0) == 0);
    EXPECT(unlinkat(directory, "new/message", 0) == 0);
    char outside[128];
    (void)snprintf(outside, sizeof(outside), "%s/file", place->outside);
    EXPECT(unlink(outside) < 0 && errno == EACCES);
    EXPECT(linkat(AT_FDCWD, outside, directory, "stolen", 0) < 0);
    EXPECT(unlinkat(directory, "new", AT_REMOVEDIR) == 0);
    EXPECT(unlinkat(directory, "tmp", AT_REMOVEDIR) == 0);
    EXPECT(symlinkat("/etc/passwd", directory, "link") < 0 && errno == ENOSYS);
    return 0;
}

static int open_beneath(void *context)
{
    const struct place *place = context;
    const uint64_t how[3] = {O_RDONLY | O_CLOEXEC, 0, 0x08 /* RESOLVE_BENEATH */};
    const int directory = open(place->inside, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    EXPECT(directory >= 0);
    EXPECT(syscall(SYS_openat2, directory, "file", how, sizeof(how)) >= 0);
    EXPECT(syscall(SYS_openat2, directory, "../outside/file", how, sizeof(how)) < 0);
    EXPECT(errno == EXDEV);
    return 0;
}

static int append_files(void *context)
{
    const struct place *place = context;
    EXPECT(open_fails_with(place->inside, "log", O_WRONLY | O_APPEND | O_CREAT, 0));
    EXPECT(open_fails_with(place->inside, "log", O_WRONLY, ENOSYS));
    EXPECT(open_fails_with(place->inside, "log", O_WRONLY | O_APPEND | O_TRUNC, ENOSYS));
    EXPECT(open_fails_with(place->inside, "log", O_RDONLY, ENOSYS));
    EXPECT(open_fails_with(place->outside, "log", O_WRONLY | O_APPEND | O_CREAT, EACCES));
    return 0;
}

static void test_files(void **state)
{
    (void)state;
    if (sandbox_landlock_version() == 0)
        skip(); /* the paths are Landlock's part */
    static const struct {
        const char *name;
        unsigned promises, access;
        child_body *body;
    } rows[] = {
        {"read files", SANDBOX_READ_FILES, SANDBOX_PATH_READ, read_files},
        {"queue directory", SANDBOX_QUEUE_DIRECTORY, SANDBOX_PATH_READ | SANDBOX_PATH_WRITE,
         change_files},
        {"maildir", SANDBOX_MAILDIR, SANDBOX_PATH_READ | SANDBOX_PATH_WRITE, open_beneath},
        {"append files", SANDBOX_APPEND_FILES, SANDBOX_PATH_WRITE, append_files},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct place place;
        make_place(&place);
        const struct sandbox_path paths[] = {
            {place.inside, rows[i].access},
            {"/nonexistent/posthouse", SANDBOX_PATH_READ | SANDBOX_PATH_OPTIONAL}};
        for (enum sandbox_test_mode mode = 0; mode < MODE_COUNT; mode++) {
            const struct sandbox_profile profile = {.promises = rows[i].promises,
                                                    .uid = TEST_UID,
                                                    .gid = TEST_GID,
                                                    .paths = paths,
                                                    .path_count = ARRAY_LENGTH(paths)};
            if (!mode_is_possible(mode))
                continue;
            const struct child_result result = run_in_sandbox(mode, &profile, rows[i].body, &place);
            expect_zero(rows[i].name, mode, &result);
            char log[96];
            (void)snprintf(log, sizeof(log), "%s/log", place.inside);
            (void)unlink(log);
        }
        remove_place(&place);
    }
}

static int look_for_etc(void *context)
{
    (void)context;
    const int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    EXPECT(fd < 0 && errno == ENOENT);
    EXPECT(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0);
    EXPECT(getuid() == TEST_UID && getgid() == TEST_GID);
    gid_t groups[8];
    EXPECT(syscall(SYS_getgroups, 8, groups) < 0); /* not even to be asked for */
    return 0;
}

static void test_root_directory(void **state)
{
    (void)state;
    if (!mode_is_possible(MODE_ROOT))
        skip();
    struct place place;
    make_place(&place);
    const struct sandbox_path path = {place.inside, SANDBOX_PATH_READ};
    const struct sandbox_profile profile = {.promises = SANDBOX_READ_FILES,
                                            .uid = TEST_UID,
                                            .gid = TEST_GID,
                                            .root_directory = place.inside,
                                            .paths = &path,
                                            .path_count = 1};
    const struct child_result result = run_in_sandbox(MODE_ROOT, &profile, look_for_etc, NULL);
    expect_zero("root directory", MODE_ROOT, &result);
    remove_place(&place);
}

/* ---- children as other users ---- */

static int live_as_user(void *context)
{
    const struct sandbox_filter *filter = context;
    const struct sandbox_profile profile = {.promises = SANDBOX_READ_FD,
                                            .uid = SANDBOX_SAME_USER,
                                            .gid = SANDBOX_SAME_GROUP,
                                            .filter = filter};
    struct sandbox_error error;
    if (geteuid() == 0) {
        EXPECT(initgroups("nobody", TEST_GID) == 0);
        EXPECT(setresgid(TEST_GID, TEST_GID, TEST_GID) == 0);
        EXPECT(setresuid(TEST_UID, TEST_UID, TEST_UID) == 0);
        EXPECT(setresuid(0, 0, 0) < 0);
    }
    EXPECT(sandbox_enter(&profile, &error));
    const pid_t grandchild = fork(); /* kills: this one has not promised it */
    return grandchild < 0 ? __LINE__ : 0;
}

static int spawn_children(void *context)
{
    EXPECT(getpwnam("root")); /* name services, in this process */
    for (int i = 0; i < 3; i++) {
        int status;
        const pid_t child = fork();
        EXPECT(child >= 0);
        if (child == 0)
            _exit(live_as_user(context) ? 1 : 0);
        EXPECT(waitpid(child, &status, 0) == child);
        EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    }
    return 0;
}

static void test_spawn(void **state)
{
    (void)state;
    struct sandbox_filter *filter = sandbox_filter_create(SANDBOX_READ_FD, false);
    assert_non_null(filter);
    const struct sandbox_path everything = {"/", SANDBOX_PATH_READ};
    const struct sandbox_profile profile = {.promises =
                                                SANDBOX_SPAWN | SANDBOX_NSS | SANDBOX_MAILDIR,
                                            .uid = 0,
                                            .gid = 0,
                                            .paths = &everything,
                                            .path_count = 1};
    expect_works("spawn", &profile, spawn_children, filter);
    sandbox_filter_destroy(&filter);
}

/* ---- notes, and failing closed ---- */

static atomic_int noted_call;

static void on_note(const struct sandbox_note *note, void *context)
{
    atomic_store((atomic_int *)context, note->call_number);
}

static int do_unknown_things(void *context)
{
    (void)context;
    struct sandbox_note note;
    EXPECT(!sandbox_next_note(&note));
    for (int i = 0; i < 3; i++)
        EXPECT(syscall(SYS_shmget, 0L, 4096L, 0600L) < 0 && errno == ENOSYS);
    EXPECT(atomic_load(&noted_call) == SYS_shmget);
    EXPECT(sandbox_next_note(&note));
    EXPECT(note.call_number == SYS_shmget && strcmp(note.call_name, "shmget") == 0);
    EXPECT(!sandbox_next_note(&note));
    EXPECT(syscall(505) < 0 && errno == ENOSYS);
    EXPECT(sandbox_next_note(&note) && strcmp(note.call_name, "unknown") == 0);
    return 0;
}

static void test_notes_name_the_call(void **state)
{
    (void)state;
    const struct sandbox_profile profile = {
        .uid = TEST_UID, .gid = TEST_GID, .on_note = on_note, .note_context = &noted_call};
    expect_works("notes", &profile, do_unknown_things, NULL);
}

static int open_passwd_with_errors_to(void *context)
{
    EXPECT(dup2(*(int *)context, STDERR_FILENO) == STDERR_FILENO);
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static void test_kills_are_explained(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const struct sandbox_profile profile = {.uid = TEST_UID,
                                            .gid = TEST_GID,
                                            .kept_fds = &ends[1],
                                            .kept_fd_count = 1,
                                            .explain_kills = true};
    const struct child_result result =
        run_in_sandbox(MODE_ORDINARY, &profile, open_passwd_with_errors_to, &ends[1]);
    assert_int_equal(result.death_signal, SIGSYS);
    char text[128] = "";
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, "openat (")); /* the C library's open() */
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static int be_surprised(void *context)
{
    (void)context;
    return 0;
}

static void test_fails_closed(void **state)
{
    (void)state;
    const struct sandbox_path absent = {"/nonexistent/posthouse", SANDBOX_PATH_READ};
    const struct {
        const char *name;
        enum sandbox_test_mode mode;
        bool needs_landlock;
        struct sandbox_profile profile;
    } rows[] = {
        {"a path that is not there",
         MODE_ORDINARY,
         true,
         {.uid = TEST_UID, .gid = TEST_GID, .paths = &absent, .path_count = 1}},
        {"no user named", MODE_ROOT, false, {.uid = SANDBOX_SAME_USER, .gid = SANDBOX_SAME_GROUP}},
        {"to stay root", MODE_ROOT, false, {.uid = 0, .gid = 0}},
        {"a root directory that is not there",
         MODE_ROOT,
         false,
         {.uid = TEST_UID, .gid = TEST_GID, .root_directory = "/nonexistent/posthouse"}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (!mode_is_possible(rows[i].mode) ||
            (rows[i].needs_landlock && sandbox_landlock_version() == 0))
            continue;
        const struct child_result result =
            run_in_sandbox(rows[i].mode, &rows[i].profile, be_surprised, NULL);
        if (result.has_entered || result.error.error_number == 0 || !result.error.step)
            fail_msg("entered in spite of %s", rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_common_things_work),
        cmocka_unit_test(test_descriptors_are_closed),
        cmocka_unit_test(test_content_descriptors),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_refuses_to_enter_with_a_second_thread),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_root_directory),
        cmocka_unit_test(test_spawn),
        cmocka_unit_test(test_notes_name_the_call),
        cmocka_unit_test(test_kills_are_explained),
        cmocka_unit_test(test_fails_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
