/* tools/queue_text - the queue as text in Postfix's columns, or as JSON, one object a line. */
#ifndef TOOLS_QUEUE_TEXT_H
#define TOOLS_QUEUE_TEXT_H

#include <stdio.h>

#include "base/buffer.h"
#include "base/map.h"
#include "ipc/message.h"

struct queue_text {
    FILE *file;
    bool is_json;
    bool has_open_message;
    uint64_t message_count, byte_count;
    size_t recipient_count; /* of the open message */
    struct buffer reason;   /* the last one printed: shown again only when it changes */
    struct map dropped;     /* struct dropped_id: of maildrop */
};

void queue_text_begin(struct queue_text *text, FILE *file, bool is_json);
/* One of maildrop comes before all others; where it has been taken into the queue since, it is not
 * shown again. */
void queue_text_message(struct queue_text *text, const struct ipc_queue_entry *entry);
void queue_text_recipient(struct queue_text *text,
                          const struct ipc_queue_entry_recipient *recipient);
/* The footer; frees everything. */
void queue_text_end(struct queue_text *text);

#endif
