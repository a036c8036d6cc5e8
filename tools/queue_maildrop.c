/* tools/queue_maildrop - see queue_maildrop.h. */
#include "queue_maildrop.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "queuefile/drop.h"
#include "queuefile/id.h"
#include "system/file.h"

enum { READ_BYTES = 2 * DROP_RECORD_MAX_BYTES };

struct dropped_file {
    struct queue_text *text;
    const char *name;
    struct stat facts;
    bool is_begun;
};

static void put_event(struct dropped_file *file, const struct drop_event *event)
{
    if (event->kind == DROP_EVENT_HEADER) {
        const struct ipc_queue_entry entry = {
            .queue_id = span_from_string(file->name),
            .queue = SPAN("maildrop"),
            .arrival_us = (uint64_t)file->facts.st_mtim.tv_sec * 1000000U,
            .size_bytes = (uint64_t)file->facts.st_size,
            .sender = event->header.sender,
        };
        queue_text_message(file->text, &entry);
        file->is_begun = true;
    } else if (event->kind == DROP_EVENT_RECIPIENT && file->is_begun) {
        const struct ipc_queue_entry_recipient recipient = {.recipient =
                                                                event->recipient.forward_path};
        queue_text_recipient(file->text, &recipient);
    }
}

/* As much of it as is what postdrop writes; the recipients may stand behind the text. */
static void list_file(struct dropped_file *file, int descriptor, uint8_t *bytes)
{
    struct drop_reader reader;
    struct drop_event event;
    enum parse_result result = PARSE_NEED_MORE;
    uint64_t offset = 0;
    size_t kept = 0;
    drop_reader_init(&reader);
    while (result == PARSE_NEED_MORE && kept < READ_BYTES) {
        const ssize_t count = file_pread_upto(descriptor, bytes + kept, READ_BYTES - kept, offset);
        struct span rest = span_of(bytes, kept + (count > 0 ? (size_t)count : 0));
        if (count <= 0)
            return;
        offset += (uint64_t)count;
        while ((result = drop_reader_next(&reader, &rest, &event)) == PARSE_OK)
            put_event(file, &event);
        kept = rest.length;
        memmove(bytes, rest.bytes, kept);
    }
}

void queue_maildrop_list(int queue, struct queue_text *text)
{
    const int maildrop = openat(queue, "maildrop", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *directory = maildrop < 0 ? NULL : fdopendir(maildrop);
    uint8_t *bytes = malloc(READ_BYTES);
    if (!directory)
        file_close(maildrop);
    for (struct dirent *entry; directory && bytes && (entry = readdir(directory)) != NULL;) {
        struct dropped_file file = {.text = text, .name = entry->d_name};
        if (!queue_id_is_valid(span_from_string(entry->d_name)))
            continue;
        const int descriptor = openat(dirfd(directory), entry->d_name,
                                      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (descriptor < 0)
            continue;
        if (fstat(descriptor, &file.facts) == 0 && S_ISREG(file.facts.st_mode))
            list_file(&file, descriptor, bytes);
        file_close(descriptor);
    }
    free(bytes);
    if (directory)
        (void)closedir(directory);
}
