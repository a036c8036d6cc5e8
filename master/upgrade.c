/* master/upgrade - see upgrade.h. */
#include "upgrade.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system/clock.h"
#include "system/file.h"

enum { CHECK_MS = 20000, POLL_MS = 10 };

/* The new program reads the configuration with its own eyes. Nobody else is served meanwhile; it
 * takes some tens of milliseconds. */
static bool check(const struct upgrade_request *request)
{
    char name[] = "master", directory_flag[] = "-c", check_flag[] = "-t";
    char *const arguments[] = {name, directory_flag, (char *)(uintptr_t)request->directory,
                               check_flag, NULL};
    const int64_t deadline_ms = clock_deadline_after(CHECK_MS);
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        const int nowhere = open("/dev/null", O_RDWR);
        if (nowhere >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0 && dup2(nowhere, STDERR_FILENO) >= 0)
            (void)execv(request->program, arguments);
        _exit(EXIT_FAILURE);
    }
    if (pid < 0)
        return false;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (clock_monotonic_ms() > deadline_ms)
            (void)kill(pid, SIGKILL);
        (void)usleep(POLL_MS * 1000);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

static void keep_over_exec(const struct handover *handover, bool is_kept)
{
    (void)!file_set_close_on_exec(handover->lock, !is_kept);
    for (size_t i = 0; i < handover->listener_count; i++)
        (void)!file_set_close_on_exec(handover->listeners[i].socket, !is_kept);
    for (size_t i = 0; i < handover->process_count; i++) {
        (void)!file_set_close_on_exec(handover->processes[i].control, !is_kept);
        (void)!file_set_close_on_exec(handover->processes[i].errors, !is_kept);
    }
}

const char *upgrade_become(const struct upgrade_request *request)
{
    struct buffer text;
    char number[16];
    char name[] = "master", directory_flag[] = "-c", verbose_flag[] = "-v", inherit_flag[] = "-H";
    char *arguments[8] = {name,         directory_flag, (char *)(uintptr_t)request->directory,
                          inherit_flag, number,         request->is_verbose ? verbose_flag : NULL,
                          NULL};
    if (access(request->program, X_OK) != 0)
        return "the new program is not there; install it, or correct daemon_directory";
    if (!check(request))
        return "the new program finds the configuration wrong; posthouse check says what";
    buffer_init(&text, NULL, HANDOVER_MAX_BYTES);
    handover_write(request->handover, &text);
    const int descriptor = buffer_ok(&text) ? handover_store(buffer_span(&text)) : -1;
    buffer_release(&text);
    if (descriptor < 0)
        return "no memory for what is to be handed over";
    (void)snprintf(number, sizeof(number), "%d", descriptor);
    keep_over_exec(request->handover, true);
    (void)execv(request->program, arguments);
    keep_over_exec(request->handover, false);
    file_close(descriptor);
    return "the new program cannot be run";
}

bool upgrade_receive(int descriptor, struct arena *arena, struct handover *handover)
{
    uint8_t *bytes = arena_alloc(arena, HANDOVER_MAX_BYTES);
    const ssize_t length = bytes ? file_pread_upto(descriptor, bytes, HANDOVER_MAX_BYTES, 0) : -1;
    file_close(descriptor);
    if (length < 0 || handover_parse(span_of(bytes, (size_t)length), arena, handover) != PARSE_OK)
        return false;
    keep_over_exec(handover, false);
    return true;
}
