/* intake/intake - make a message: take an id, write the content, commit or abandon.
 * qmgr grants ids ahead of need, each with the descriptor of its file, so that a message costs one
 * round trip: the commit. The body goes to the file as it comes, the header block, which may need
 * to know what the body is, after it.
 * Callers: smtpd, bounce; everything that makes mail. For tasks. */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H

#include "base/outcome.h"
#include "ipc/channel.h"
#include "queuefile/envelope.h"
#include "queuefile/id.h"
#include "queuefile/preamble.h"

enum {
    INTAKE_STATE_TEXTS = 4,
    /* What qmgr has room for in one message. */
    INTAKE_RECIPIENTS_MAX = 500000,
    INTAKE_RECIPIENTS_MAX_BYTES = QUEUE_ENVELOPE_MAX_BYTES - (1 << 20)
};

/* A process's side of its channel to qmgr. */
struct intake {
    struct loop *loop;
    struct intake_qmgr *qmgr; /* NULL: none */
    struct list former;       /* those before it that have commits to answer yet */
    uint32_t generation;      /* of the channel: an id belongs to the qmgr that gave it */
    struct list grants;       /* ids that nobody has taken */
    struct list waiters;      /* tasks that wait for one */
    struct list hopefuls;     /* tasks that wait for a qmgr */
    struct list idle_digests;
    uint32_t wanted_count;   /* as last told to qmgr */
    uint32_t taken_count;    /* of messages in the making */
    uint32_t spare_count;    /* ids to hold beyond those */
    size_t duplicate_limit;  /* duplicate_filter_limit; 0: equal recipients are no matter */
    bool keeps_no_originals; /* enable_original_recipient = no */
    bool is_away;            /* no qmgr has said anything yet */
    struct outcome state;    /* qmgr's word on new mail; its reason is one of state_texts */
    uint64_t available_bytes;
    /* Each stays as it is: sessions that were refused may still be about to say why. */
    char state_texts[INTAKE_STATE_TEXTS][128];
    size_t state_text_count;
};

struct intake_digest;

/* A message in the making. Its memory comes from the arena that it was begun with. */
struct intake_message {
    struct intake *intake;
    struct intake_digest *digest;
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    int descriptor;
    bool is_open;             /* neither committed nor abandoned */
    bool has_failed;          /* a write failed: commit will say so */
    bool is_redirected;       /* and they do not count */
    int error;                /* its errno */
    uint32_t generation;      /* of the channel that granted the id */
    struct buffer pending;    /* body bytes not written yet; heap */
    uint64_t body_bytes;      /* written so far */
    struct buffer recipients; /* encoded, not sent yet; heap */
    struct buffer ahead;      /* batches of them that were sent: another qmgr does not know them */
    uint32_t recipient_count;
    size_t recipient_bytes; /* of all, encoded */
    bool needs_originals;   /* VERP makes sender addresses of them; set before the first is added */
    struct intake_duplicates *duplicates; /* from the second recipient on */
};

/* spare_count ids are kept at hand; a handful. */
void intake_init(struct intake *intake, struct loop *loop, uint32_t spare_count);
/* Closes the channel and gives all memory back; every message is over before. */
void intake_destroy(struct intake *intake);
/* Takes over a channel end to qmgr in place of the one before, whose messages the new one takes on
 * when they are committed; commits that it has been asked for the other may still answer. */
void intake_attach(struct intake *intake, int descriptor);
/* The channel to the present qmgr, for what else is said on it (pickup); NULL: there is none. */
struct ipc_channel *intake_channel(const struct intake *intake);
/* From a task: why a client would be refused now (OUTCOME_TEMPORARY), or OUTCOME_OK, after waiting
 * for a qmgr where there is none, as while one is replaced. The reason lives as long as *intake. */
struct outcome intake_wait_for_state(struct intake *intake, int64_t deadline_ms);

/* Takes an id. False, with *outcome (temporary), when there is none by the deadline. */
MUST_USE bool intake_begin(struct intake *intake, struct intake_message *message,
                           int64_t deadline_ms, struct outcome *outcome);
/* The same with an id of the caller's, for what was dropped under one (pickup). False with
 * *is_known when a message of that id is in the queue already, and with *outcome, whose reason lies
 * in the arena, when it cannot be now. */
MUST_USE bool intake_claim(struct intake *intake, struct intake_message *message,
                           struct span queue_id, struct arena *arena, int64_t deadline_ms,
                           struct outcome *outcome, bool *is_known);
static inline struct span intake_queue_id(const struct intake_message *message)
{
    return span_from_string(message->queue_id);
}
/* False when a text in it cannot be kept (control characters, too long) or memory is out. One that
 * is there already counts once. */
MUST_USE bool intake_add_recipient(struct intake_message *message,
                                   const struct queue_recipient *recipient);
/* More than can be committed, ever. */
static inline bool intake_has_too_many_recipients(const struct intake_message *message)
{
    return message->recipient_count > INTAKE_RECIPIENTS_MAX ||
           message->recipient_bytes > INTAKE_RECIPIENTS_MAX_BYTES;
}
/* This one in place of all that were added. False as above. */
MUST_USE bool intake_replace_recipients(struct intake_message *message,
                                        const struct queue_recipient *recipient);
/* The body, in pieces, in wire form. A failed write shows at the commit. */
void intake_write_body(struct intake_message *message, struct span bytes);
/* Writes what is left of the body and the header block (with its empty line), and asks qmgr to make
 * the message durable. envelope->recipients is not looked at. A qmgr that took the place of the one
 * that gave the id, or takes it now, goes on with the message. It is over in any case. Only
 * OUTCOME_OK means accepted; anything else is temporary. The reason lives in the arena. */
MUST_USE struct outcome intake_commit(struct intake_message *message,
                                      const struct queue_envelope *envelope,
                                      struct span header_block, struct arena *arena,
                                      int64_t deadline_ms);
/* Asks qmgr to try everything for that domain now, for a client that asks for it (ETRN). Only
 * OUTCOME_OK means that it has begun. */
MUST_USE struct outcome intake_flush_site(struct intake *intake, struct span site,
                                          struct arena *arena, int64_t deadline_ms);
/* Gives the id up; harmless after a commit. */
void intake_abandon(struct intake_message *message);

#endif
