/* master/handover - see handover.h. */
#include "handover.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/number.h"
#include "ipc/packet.h"
#include "system/file.h"

static bool next_number(struct span *line, uint32_t maximum, uint32_t *value)
{
    struct span word;
    uint64_t number;
    if (!span_next_word(line, " ", &word) || !number_parse_uint64(word, maximum, &number))
        return false;
    *value = (uint32_t)number;
    return true;
}

static bool next_descriptor(struct span *line, int *descriptor)
{
    uint32_t number;
    if (!next_number(line, INT32_MAX, &number) || number <= STDERR_FILENO)
        return false;
    *descriptor = (int)number;
    return true;
}

static bool parse_opening(struct span line, struct handover *handover)
{
    struct span name, version;
    return span_next_word(&line, " ", &name) && span_equals(name, SPAN("posthouse-handover")) &&
           span_next_word(&line, " ", &version) && span_equals(version, SPAN("1")) &&
           span_next_word(&line, " ", &handover->schema) &&
           next_number(&line, UINT32_MAX, &handover->last_generation) &&
           next_number(&line, UINT32_MAX, &handover->last_number) &&
           next_descriptor(&line, &handover->lock) &&
           next_number(&line, UINT32_MAX, &handover->upgrade_count);
}

static bool parse_listener(struct span line, struct handover *handover)
{
    struct handover_listener *listener = &handover->listeners[handover->listener_count];
    if (handover->listener_count == HANDOVER_ITEMS_MAX ||
        !next_descriptor(&line, &listener->socket) ||
        !next_number(&line, UINT32_MAX, &listener->generation) ||
        !span_next_word(&line, " ", &listener->text))
        return false;
    handover->listener_count++;
    return true;
}

static bool parse_process(struct span line, struct handover *handover)
{
    struct handover_process *process = &handover->processes[handover->process_count];
    uint32_t pid;
    if (handover->process_count == HANDOVER_ITEMS_MAX || !next_number(&line, INT32_MAX, &pid) ||
        pid <= 1 || !next_number(&line, UINT32_MAX, &process->number) ||
        !next_number(&line, UINT32_MAX, &process->generation) ||
        !next_descriptor(&line, &process->control) || !next_descriptor(&line, &process->errors) ||
        !span_next_word(&line, " ", &process->program) ||
        !span_next_word(&line, " ", &process->service))
        return false;
    process->pid = (int)pid;
    handover->process_count++;
    return true;
}

enum parse_result handover_parse(struct span text, struct arena *arena, struct handover *handover)
{
    struct span line, kind;
    *handover = (struct handover){.lock = -1};
    handover->listeners = arena_alloc(arena, HANDOVER_ITEMS_MAX * sizeof(*handover->listeners));
    handover->processes = arena_alloc(arena, HANDOVER_ITEMS_MAX * sizeof(*handover->processes));
    if (!handover->listeners || !handover->processes)
        return PARSE_TOO_LONG;
    /* The words are written with printf, for which a NUL is the end. */
    if (span_find_byte(text, '\0') < text.length)
        return PARSE_MALFORMED;
    if (!span_next_word(&text, "\n", &line) || !parse_opening(line, handover))
        return PARSE_MALFORMED;
    while (span_next_word(&text, "\n", &line)) {
        if (!span_next_word(&line, " ", &kind))
            continue;
        if ((span_equals(kind, SPAN("listener")) && !parse_listener(line, handover)) ||
            (span_equals(kind, SPAN("process")) && !parse_process(line, handover)))
            return PARSE_MALFORMED;
    }
    return PARSE_OK;
}

void handover_write(const struct handover *handover, struct buffer *text)
{
    buffer_append_format(text, "posthouse-handover 1 %.*s %u %u %d %u\n",
                         SPAN_PRINTF(handover->schema), handover->last_generation,
                         handover->last_number, handover->lock, handover->upgrade_count);
    for (size_t i = 0; i < handover->listener_count; i++) {
        const struct handover_listener *listener = &handover->listeners[i];
        buffer_append_format(text, "listener %d %u %.*s\n", listener->socket, listener->generation,
                             SPAN_PRINTF(listener->text));
    }
    for (size_t i = 0; i < handover->process_count; i++) {
        const struct handover_process *process = &handover->processes[i];
        buffer_append_format(text, "process %d %u %u %d %d %.*s %.*s\n", process->pid,
                             process->number, process->generation, process->control,
                             process->errors, SPAN_PRINTF(process->program),
                             SPAN_PRINTF(process->service));
    }
}

void handover_schema(struct buffer *digits)
{
    uint8_t opening[IPC_OPENING_BYTES];
    ipc_packet_opening(opening);
    for (size_t i = 0; i < sizeof(opening); i++)
        buffer_append_format(digits, "%02x", opening[i]);
}

int handover_store(struct span text)
{
    const int descriptor = memfd_create("handover", MFD_CLOEXEC);
    if (descriptor < 0 || file_pwrite_all(descriptor, text.bytes, text.length, 0) != 0 ||
        file_set_close_on_exec(descriptor, false) != 0) {
        file_close(descriptor);
        return -1;
    }
    return descriptor;
}
