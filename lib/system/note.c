/* system/note - see note.h. */
#include "config.h"

#include "system/note.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ascii.h"
#include "system/file.h"

enum { SIGNAL_STACK_BYTES = 16384 };

static struct note_page *attached;
static atomic_int line_count;
static _Thread_local int own_line = -1;

static char *line(void)
{
    if (own_line < 0) {
        const int next = atomic_fetch_add(&line_count, 1);
        own_line = next < NOTE_LINES ? next : NOTE_LINES - 1;
    }
    return attached->lines[own_line];
}

void note_set(struct span text)
{
    if (!attached)
        return;
    char *own = line();
    const size_t length = text.length < NOTE_BYTES - 1 ? text.length : NOTE_BYTES - 1;
    memcpy(own, text.bytes, length);
    own[length] = '\0';
}

void note_clear(void)
{
    if (attached)
        line()[0] = '\0';
}

#ifndef POSTHOUSE_SANITIZERS /* which explain such deaths themselves */
static void on_breakdown(int number)
{
    if (attached && own_line >= 0)
        attached->broken_line = (uint32_t)own_line + 1;
    /* The handler is gone (SA_RESETHAND): a fault happens again and is the end now; an abort ends
     * by itself. Whoever sent the signal from outside wants the end, too. */
    if (number == SIGABRT)
        abort();
}

/* On a stack of its own: the task's may be what has run out. */
static void watch(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    static uint8_t stack[SIGNAL_STACK_BYTES];
    const stack_t signal_stack = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_handler = on_breakdown,
                               .sa_flags = (int)(SA_ONSTACK | SA_RESETHAND | SA_NODEFER)};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaltstack(&signal_stack, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        (void)sigaction(numbers[i], &action, NULL);
}
#else
static void watch(void)
{
}
#endif

void note_attach(int descriptor)
{
    void *page =
        mmap(NULL, sizeof(struct note_page), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (page == MAP_FAILED) /* nothing depends on it but somebody's curiosity */
        return;
    attached = page;
    (void)line(); /* the first one is the loop's */
    watch();
}

void note_detach(void)
{
    if (attached)
        (void)munmap(attached, sizeof(struct note_page));
    attached = NULL;
}

int note_page_create(struct note_page **page)
{
    const int descriptor = memfd_create("notes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0)
        return -1;
    void *mapped = MAP_FAILED;
    /* The child must not make it shorter: reading it would be our end. */
    if (ftruncate(descriptor, sizeof(struct note_page)) == 0 &&
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        mapped =
            mmap(NULL, sizeof(struct note_page), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (mapped == MAP_FAILED) {
        file_close(descriptor);
        return -1;
    }
    *page = mapped;
    return descriptor;
}

void note_page_destroy(struct note_page **page)
{
    if (*page)
        (void)munmap(*page, sizeof(struct note_page));
    *page = NULL;
}

struct span note_page_read(const struct note_page *page, char text[NOTE_BYTES])
{
    const uint32_t broken = page->broken_line;
    const size_t index = broken > 0 && broken <= NOTE_LINES ? broken - 1 : 0;
    memcpy(text, page->lines[index], NOTE_BYTES);
    size_t length = 0;
    while (length < NOTE_BYTES && text[length] != '\0') {
        if (text[length] < ' ' || text[length] > '~')
            return span_empty();
        length++;
    }
    return length < NOTE_BYTES ? span_of(text, length) : span_empty();
}
