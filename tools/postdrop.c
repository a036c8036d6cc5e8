/* tools/postdrop - put one message into the maildrop directory. man/postdrop.1
 * The only program with the right to add files there: setgid, and short. Reads the format of
 * posthouse-drop(5) from standard input, checks it, and says the queue id when it is safe on disk.
 * Needs no running mail system. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "login_sender.h"
#include "queuefile/drop.h"
#include "queuefile/id.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/random.h"
#include "tool.h"
#include "tool_privilege.h"
#include "tool_say.h"

enum { READ_BYTES = 2 * DROP_RECORD_MAX_BYTES, ADDRESS_ARENA_BYTES = 1 << 16 };

/* For the signal handler: what has to go. */
static volatile int directory_of_part = -1;
static char part_name[QUEUE_ID_MAX_BYTES + 8];

struct drop {
    const struct conf_tools *settings;
    struct span login, senders; /* of the user; the patterns of what senders may be */
    int directory, file;
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    struct drop_reader reader;
    uint64_t size_bytes;
};

static struct tool_voice voice = {.shown = "postdrop", .logged = "postdrop"};

static void remove_part(void)
{
    if (directory_of_part >= 0)
        (void)unlinkat(directory_of_part, part_name, 0);
    directory_of_part = -1;
}

static NORETURN void die(int status, const char *what, const char *reason)
{
    remove_part();
    tool_say(&voice, LOG_LEVEL_FATAL, "uid=%u: %s%s%s", (unsigned)getuid(), what,
             reason ? ": " : "", reason ? reason : "");
    exit(status);
}

static NORETURN void die_writing(void)
{
    const bool is_full = errno == ENOSPC || errno == EDQUOT;
    if (errno == EFBIG)
        die(EX_UNAVAILABLE, "message file too big", NULL);
    die(EX_TEMPFAIL, is_full ? "insufficient system storage" : "queue file write error",
        strerror(errno));
}

static void on_signal(int number)
{
    if (directory_of_part >= 0)
        (void)unlinkat(directory_of_part, part_name, 0);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGXCPU};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t none;
    (void)sigfillset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        struct sigaction before;
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(numbers[i], &action, NULL);
    }
    action.sa_handler = SIG_IGN; /* writes say so */
    (void)sigaction(SIGPIPE, &action, NULL);
    (void)sigaction(SIGXFSZ, &action, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void open_directory(struct drop *drop)
{
    char *path = NULL;
    if (asprintf(&path, "%.*s/maildrop", SPAN_PRINTF(drop->settings->queue_directory)) < 0)
        die(EX_OSERR, "out of memory", NULL);
    if (!tool_privilege_resume())
        die(EX_OSERR, "cannot take the command's group", strerror(errno));
    drop->directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (drop->directory < 0)
        die(errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE, path, strerror(errno));
    free(path);
}

/* As in Postfix: room for one and a half of the largest message, or queue_minfree. */
static void check_space(const struct drop *drop)
{
    const struct conf_tools *settings = drop->settings;
    uint64_t reserve = settings->message_size_limit + settings->message_size_limit / 2;
    struct statvfs facts;
    if (reserve < settings->queue_minfree)
        reserve = settings->queue_minfree;
    if (fstatvfs(drop->file, &facts) == 0 && (uint64_t)facts.f_bavail * facts.f_frsize < reserve)
        die(EX_TEMPFAIL, "insufficient system storage", NULL);
}

static void create_file(struct drop *drop)
{
    uint8_t random[QUEUE_ID_RANDOM_BYTES];
    sigset_t all, before;
    random_bytes(random, sizeof(random));
    (void)queue_id_make(clock_realtime_us(), random, drop->queue_id);
    (void)snprintf(part_name, sizeof(part_name), "%s.part", drop->queue_id);
    /* No signal between the file and our knowing of it. */
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    drop->file = openat(drop->directory, part_name,
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    const int error = errno;
    if (drop->file >= 0)
        directory_of_part = drop->directory;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (drop->file < 0)
        die(error == EACCES                      ? EX_NOPERM
            : error == ENOSPC || error == EDQUOT ? EX_TEMPFAIL
                                                 : EX_OSERR,
            "cannot create a file in maildrop", strerror(error));
}

static void check_sender(const struct drop *drop, const struct drop_header *header)
{
    const struct conf_tools *settings = drop->settings;
    struct arena arena;
    arena_init(&arena, ADDRESS_ARENA_BYTES, 0);
    const bool is_permitted =
        login_sender_matches(drop->senders, header->sender, settings->recipient_delimiter,
                             settings->empty_address_local_login_sender_maps_lookup_key, &arena);
    arena_destroy(&arena);
    if (!is_permitted) {
        remove_part();
        tool_say(&voice, LOG_LEVEL_FATAL, "%.*s(%u): not authorized to use sender='%.*s'",
                 SPAN_PRINTF(drop->login), (unsigned)getuid(), SPAN_PRINTF(header->sender));
        exit(EX_NOPERM);
    }
    /* Who hears of a bad sender is the user, and nobody whom the user names. */
    if (header->owner.length && !span_equals(header->owner, drop->login))
        die(EX_DATAERR, "malformed input", NULL);
}

/* What was read, unless it is not what sendmail writes. The bytes that are no whole record yet are
 * left. */
static size_t check(struct drop *drop, struct span bytes)
{
    const uint64_t limit = drop->settings->message_size_limit;
    struct drop_event event;
    enum parse_result result;
    while ((result = drop_reader_next(&drop->reader, &bytes, &event)) == PARSE_OK) {
        if (event.kind == DROP_EVENT_HEADER)
            check_sender(drop, &event.header);
        if (limit && drop->reader.seen.text_bytes > limit)
            die(EX_UNAVAILABLE, "message file too big", NULL);
    }
    if (result != PARSE_NEED_MORE || bytes.length > DROP_RECORD_MAX_BYTES)
        die(EX_DATAERR, "malformed input", NULL);
    return bytes.length;
}

static void copy_input(struct drop *drop)
{
    uint8_t *bytes = malloc(READ_BYTES);
    size_t kept = 0;
    if (!bytes)
        die(EX_OSERR, "out of memory", NULL);
    for (;;) {
        const ssize_t count = read(STDIN_FILENO, bytes + kept, READ_BYTES - kept);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            die(EX_DATAERR, "cannot read the message", strerror(errno));
        if (count == 0)
            break;
        if (file_pwrite_all(drop->file, bytes + kept, (size_t)count, drop->size_bytes) != 0)
            die_writing();
        drop->size_bytes += (uint64_t)count;
        const size_t length = kept + (size_t)count;
        kept = check(drop, span_of(bytes, length));
        memmove(bytes, bytes + length - kept, kept);
    }
    free(bytes);
    if (!drop->reader.is_at_end && (drop->size_bytes == 0 || drop->reader.has_begun)) {
        remove_part(); /* sendmail has given up, and said why */
        exit(EX_DATAERR);
    }
    if (!drop->reader.is_at_end || kept > 0)
        die(EX_DATAERR, "malformed input", NULL);
    if (drop->reader.seen.recipient_count == 0)
        die(EX_DATAERR, "no recipients", NULL);
}

/* As the command's group one may make files in the directory and not read it: where it cannot be
 * opened to be flushed, the file system is. */
static int flush_directory(const struct drop *drop)
{
    const int directory = openat(drop->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return syncfs(drop->file);
    const int result = fsync(directory);
    const int error = errno;
    file_close(directory);
    errno = error;
    return result;
}

/* The new name first, then the flush, which makes both durable. pickup may have taken the file
 * meanwhile: then it is in the queue. */
static void commit(struct drop *drop)
{
    if (fchmod(drop->file, 0640) != 0 ||
        renameat(drop->directory, part_name, drop->directory, drop->queue_id) != 0)
        die_writing();
    directory_of_part = -1;
    if (fsync(drop->file) != 0 ||
        (drop->settings->queue_sync_directory && flush_directory(drop) != 0)) {
        const int error = errno;
        if (unlinkat(drop->directory, drop->queue_id, 0) == 0 || errno != ENOENT) {
            errno = error;
            die_writing();
        }
    }
}

static void drop_message(struct drop *drop)
{
    open_directory(drop);
    create_file(drop);
    check_space(drop);
    copy_input(drop);
    commit(drop);
}

/* With no more rights than the user's. */
static void find_senders(struct drop *drop, struct arena *arena)
{
    const struct passwd *user = getpwuid(getuid());
    drop->login = user ? arena_copy(arena, span_from_string(user->pw_name))
                       : arena_format(arena, "uid:%u", (unsigned)getuid());
    if (login_sender_find(drop->settings->local_login_sender_maps, drop->login, arena,
                          &drop->senders) == LOGIN_SENDER_ERROR)
        die(EX_TEMPFAIL, "table lookup error in local_login_sender_maps", NULL);
}

int main(int argc, char **argv)
{
    static struct arena arena;
    static struct conf_tools settings;
    static struct drop drop;
    const char *argument = NULL;
    bool says_id = false;
    if (!tool_privilege_begin())
        die(EX_OSERR, "cannot begin", strerror(errno));
    voice.shown = tool_name(argv, "postdrop");
    for (int option; (option = getopt(argc, argv, "c:rv")) != -1;) {
        if (option == 'c')
            argument = optarg;
        else if (option == 'r')
            says_id = true;
        else if (option == '?')
            die(EX_USAGE, "usage: postdrop [-c directory] [-rv]", NULL);
    }
    if (optind < argc)
        die(EX_USAGE, "usage: postdrop [-c directory] [-rv]", NULL);
    const char *directory = conf_directory(argument);
    if (!tool_privilege_settle(&directory))
        die(EX_OSERR, "cannot begin", strerror(errno));
    voice.directory = directory; /* from here on: it is trusted, or there are no rights to abuse */
    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    if (!tool_load("postdrop", directory, &conf_part_tools, &arena, &settings))
        return EX_CONFIG;
    const struct span user = tool_privilege_user();
    if (!tool_privilege_allows(user, settings.authorized_submit_users)) {
        tool_say(&voice, LOG_LEVEL_FATAL, "User %.*s(%u) is not allowed to submit mail",
                 SPAN_PRINTF(user), (unsigned)getuid());
        return EX_NOPERM;
    }
    drop.settings = &settings;
    find_senders(&drop, &arena);
    catch_signals();
    drop_reader_init(&drop.reader);
    drop_message(&drop);
    if (says_id)
        (void)printf("%s\n", drop.queue_id);
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
