/* sandbox/trap - SIGSYS: note what the filter refused, answer ENOSYS, go on.
 * Interface: sandbox_trap_install(), sandbox_next_note(). The one place with state of the whole
 * process, because a signal handler is given none. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "config.h"

#include "sandbox/sandbox_private.h"

/* si_code of a trap by a filter; the C library's headers do not have the kernel's SYS_SECCOMP. */
enum { SIGSYS_BY_SECCOMP = 1 };

static struct {
    const struct sandbox_filter *filter;
    sandbox_note_function *on_note;
    void *note_context;
    atomic_bool was_refused[SANDBOX_CALL_COUNT]; /* a note was made */
    atomic_bool is_untold[SANDBOX_CALL_COUNT];   /* and sandbox_next_note() did not return it yet */
    atomic_uint untold_count;
} trap;

#ifdef POSTHOUSE_SANITIZERS
/* The leak checker stops the process from a helper that traces it, which no sandbox allows; a
 * process that has entered one is not searched for leaks. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return trap.filter != NULL;
}
#endif

static int note_index(int call)
{
    return call >= 0 && call < SANDBOX_CALL_COUNT ? call : SANDBOX_CALL_COUNT - 1;
}

static const char *call_name(int call)
{
    const char *name = trap.filter->call_names[note_index(call)];
    return name ? name : "unknown";
}

static void write_string(const char *string)
{
    if (write(STDERR_FILENO, string, strlen(string)) < 0)
        return; /* there is nobody else to tell */
}

static void write_number(unsigned number)
{
    char digits[12];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    write_string(digits + at);
}

static void explain_and_die(int call)
{
    write_string("sandbox: killed by a forbidden system call: ");
    write_string(call_name(call));
    write_string(" (");
    write_number((unsigned)call);
    write_string(")\n");
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t unblock;
    (void)sigemptyset(&unblock);
    (void)sigaddset(&unblock, SIGSYS);
    (void)sigaction(SIGSYS, &action, NULL);
    (void)syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), SIGSYS);
    (void)sigprocmask(SIG_UNBLOCK, &unblock, NULL);
    _exit(128 + SIGSYS);
}

static void set_result(ucontext_t *context, long result)
{
#if defined(__x86_64__)
    context->uc_mcontext.gregs[REG_RAX] = result;
#elif defined(__aarch64__)
    context->uc_mcontext.regs[0] = (unsigned long long)result;
#else
#error "say where this architecture returns the result of a system call"
#endif
}

static void on_sigsys(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    const int saved_errno = errno;
    if (info->si_code != SIGSYS_BY_SECCOMP)
        return; /* somebody sent it */
    const int call = info->si_syscall;
    if (trap.filter->explains_kills && trap.filter->is_forbidden[note_index(call)])
        explain_and_die(call);
    if (!atomic_exchange(&trap.was_refused[note_index(call)], true)) {
        atomic_store(&trap.is_untold[note_index(call)], true);
        atomic_fetch_add(&trap.untold_count, 1);
        if (trap.on_note) {
            const struct sandbox_note note = {call, call_name(call)};
            trap.on_note(&note, trap.note_context);
        }
    }
    set_result(context, -ENOSYS);
    errno = saved_errno;
}

bool sandbox_trap_install(const struct sandbox_filter *filter, sandbox_note_function *on_note,
                          void *note_context)
{
    trap.filter = filter;
    trap.on_note = on_note;
    trap.note_context = note_context;
    /* Not SA_RESTART: the refused call has its result. SA_NODEFER: a call refused inside on_note
     * would otherwise meet a blocked SIGSYS, which kills. */
    struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigset_t unblock;
    return sigemptyset(&action.sa_mask) == 0 && sigemptyset(&unblock) == 0 &&
           sigaddset(&unblock, SIGSYS) == 0 && sigaction(SIGSYS, &action, NULL) == 0 &&
           sigprocmask(SIG_UNBLOCK, &unblock, NULL) == 0;
}

bool sandbox_next_note(struct sandbox_note *note)
{
    if (atomic_load_explicit(&trap.untold_count, memory_order_relaxed) == 0)
        return false;
    for (int call = 0; call < SANDBOX_CALL_COUNT; call++) {
        if (atomic_exchange(&trap.is_untold[call], false)) {
            atomic_fetch_sub(&trap.untold_count, 1);
            *note = (struct sandbox_note){call, call_name(call)};
            return true;
        }
    }
    return false;
}
