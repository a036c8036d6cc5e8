/* qmgr/poison - see poison.h. */
#include "poison.h"

#include <stdlib.h>

#include "agent.h"
#include "maillog/event.h"
#include "scan.h"

enum { LOSSES_MAX = 4096, KNOWN_MAX = 256 };

struct loss {
    struct list_link link;
    uint32_t process_number; /* 0: not a loss, the message is to be set aside */
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
};

void poison_init(struct qmgr *qmgr)
{
    list_init(&qmgr->losses);
    list_init(&qmgr->poisoned);
}

static void remember(struct list *list, size_t maximum, uint32_t process_number,
                     struct span queue_id)
{
    struct loss *loss = list->count >= maximum ? LIST_ITEM(list_pop(list), struct loss, link)
                                               : malloc(sizeof(*loss));
    if (!loss || queue_id.length > QUEUE_ID_MAX_BYTES) {
        free(loss);
        return;
    }
    *loss = (struct loss){.process_number = process_number};
    memcpy(loss->queue_id, queue_id.bytes, queue_id.length);
    list_append(list, &loss->link);
}

static struct loss *find(const struct list *list, uint32_t process_number, struct span queue_id)
{
    LIST_FOR_EACH (list, link) {
        struct loss *loss = LIST_ITEM(link, struct loss, link);
        if (loss->process_number == process_number &&
            span_equals(span_from_string(loss->queue_id), queue_id))
            return loss;
    }
    return NULL;
}

void poison_note_loss(struct qmgr *qmgr, uint32_t process_number, struct span queue_id)
{
    remember(&qmgr->losses, LOSSES_MAX, process_number, queue_id);
}

bool poison_is_known(const struct qmgr *qmgr, struct span queue_id)
{
    return find(&qmgr->poisoned, 0, queue_id) != NULL;
}

void poison_forget(struct qmgr *qmgr, struct span queue_id)
{
    struct loss *known = find(&qmgr->poisoned, 0, queue_id);
    if (!known)
        return;
    list_remove(&qmgr->poisoned, &known->link);
    free(known);
}

/* Had that process this message from us? master may hear of its death before we do. */
static bool was_given(struct qmgr *qmgr, const struct ipc_poison *poison)
{
    if (find(&qmgr->losses, poison->process_number, poison->work))
        return true;
    LIST_FOR_EACH (&qmgr->agents, link) {
        const struct agent *agent = LIST_ITEM(link, struct agent, link);
        if (agent->process_number != poison->process_number)
            continue;
        LIST_FOR_EACH (&agent->in_flight, entry_link)
            if (span_equals(message_id(LIST_ITEM(entry_link, struct entry, link)->message),
                            poison->work))
                return true;
    }
    return false;
}

void poison_take(struct qmgr *qmgr, const struct ipc_poison *poison)
{
    const bool is_own = poison->role == IPC_ROLE_QMGR; /* the one before us */
    if (!queue_id_is_valid(poison->work) || poison_is_known(qmgr, poison->work) ||
        (!is_own && !was_given(qmgr, poison)))
        return;
    struct message *message = message_find(qmgr, poison->work);
    maillog_text(&qmgr->service->log, LOG_LEVEL_ERROR, poison->work,
                 "work on this message has killed %s twice; it goes to corrupt",
                 ipc_role_name((enum ipc_role)poison->role));
    if (message) {
        message_set_aside(message);
        return;
    }
    remember(&qmgr->poisoned, KNOWN_MAX, 0, poison->work);
    if (qmgr->has_lock)
        (void)scan_want(qmgr, poison->work); /* else it comes when it is read */
}
