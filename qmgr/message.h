/* qmgr/message - a message in the active set: its recipients, one round of attempts, and the end
 * of the round: removed, reported, or deferred.
 * A round opens when the message becomes active and closes when no recipient is waiting for a
 * route, an agent or a result. Marks on disk follow results in jobs, one at a time per message; a
 * result is acknowledged to its agent when what it changed is written.
 * Callers: every module of qmgr. */
#ifndef QMGR_MESSAGE_H
#define QMGR_MESSAGE_H

#include "dsn/report.h"
#include "qmgr.h"
#include "queuestore/alter.h"

enum recipient_stage {
    STAGE_DONE,     /* nothing to do in this round */
    STAGE_UNROUTED, /* waits for addrd */
    STAGE_QUEUED,   /* waits for an agent */
    STAGE_IN_FLIGHT /* an agent has it */
};

struct recipient {
    uint8_t status; /* enum queue_status, as on disk or to be */
    enum recipient_stage stage;
    bool is_maybe_repeated;  /* an earlier attempt may have succeeded unseen */
    bool has_stray_delivery; /* an agent may still have one that this qmgr knows nothing of */
    bool has_changed;        /* status or outcome differ from what is on disk */
    bool is_expanded;        /* delivered means: to the addresses that it stands for */
    bool is_relayed;         /* or: to who may deliver it further */
    bool is_redirected;      /* an agent has named another transport: once in a round */
    bool is_warned;          /* the sender was told of the delay */
    bool is_traced;          /* and of the first attempt, for sendmail -bv or -v */
    bool has_note;           /* that is not in the journal yet */
    bool is_reported;        /* of the failure or success: it is no other any more */
    struct span address;     /* as the agent is to use it; empty: as in the envelope */
    struct span mailbox;
    struct span next_hop;   /* once it has a route */
    struct outcome outcome; /* of the last attempt, reason in the message's arena */
    struct span remote, diagnostic;
    uint64_t last_attempt_us;
};

/* A result that its agent still has to hear of. */
struct acknowledgement {
    uint32_t process_number;
    uint64_t delivery;
    uint32_t serial;
    bool is_last; /* of its delivery: the agent is free for another when it hears of it */
};

struct message {
    struct map_node node; /* in qmgr->messages */
    struct qmgr *qmgr;
    struct store_place place;
    struct arena arena;
    struct queue_preamble preamble;
    struct queue_envelope envelope;
    struct span envelope_header; /* its encoded header record, for agents */
    struct recipient *recipients;
    size_t recipient_count;
    size_t open_count;                 /* recipients not STAGE_DONE */
    struct list waiting;               /* struct entry: schedule.h */
    size_t changed_first, changed_end; /* all that has_changed lie in between: a write of one
                                        * delivery's results does not look at a whole list */
    size_t routed_count;               /* recipients before this index have been asked about */
    struct list_link unrouted_link;
    struct list_link unreported_link;
    struct list_link origin_link; /* waits for what it was made of: origin.h */
    struct list_link commit_link; /* is being committed, and was made of another */
    bool is_origin_settled;       /* and need not any more */
    int ready_descriptor;         /* for the first delivery, -1 when used or none was to be had */
    uint64_t journal_end;
    uint32_t attempt_count;
    uint64_t active_us;
    int64_t flushed_ms;    /* when somebody asked for an attempt; 0: nobody did */
    bool is_committed;     /* on disk: may be delivered */
    bool is_discarded;     /* the commit failed: to be freed when nobody uses it */
    bool is_routing;       /* addrd has been asked */
    bool is_reporting;     /* bounce has been asked */
    bool is_reported;      /* and the report is in the queue already */
    bool is_settling;      /* see message_settle() */
    bool is_deleted;       /* somebody asked for it: it goes without a report */
    bool is_holding;       /* goes to hold when what is under way has ended */
    bool has_hold_note;    /* is_holding has changed, and the journal does not say so yet */
    bool has_expire_note;  /* the same of is_forced_expire */
    bool is_forced_expire; /* it goes back to the sender when it cannot be delivered at once */
    bool is_requeued;      /* if it has to wait again, then not long */
    bool is_writing;       /* a mark, defer or remove job runs */
    bool has_report_failed;
    bool is_crowded_out; /* put off untried, for want of room: share.h */
    bool is_corrupt;     /* an agent found that the content is not what was committed */
    uint32_t reporter;   /* the process of bounce that was asked */
    size_t report_end;   /* the report under way covers recipients before this one */
    uint32_t unreported_from[DSN_KIND_COUNT]; /* nothing of such a kind is to be told of
                                               * recipients before this one */
    uint32_t pending_from;                    /* all before this one have ended */
    enum dsn_kind report_kind;                /* and is on what */
    bool has_notes;                           /* some recipient's has_note */
    bool is_probe;       /* asks whether it could be delivered; never on disk */
    struct probe *probe; /* who asks */
    unsigned user_count; /* calls and jobs that will come back to it */
    struct acknowledgement *acknowledgements;
    size_t acknowledgement_count, acknowledgement_capacity;
};

/* A fresh message, before its commit: everything is copied from the decoded parts. envelope bytes
 * hold the header record and all recipients. NULL when it is malformed (*is_malformed) or memory is
 * out. In qmgr->messages from now on. */
MUST_USE struct message *message_create(struct qmgr *qmgr, const char *queue_id,
                                        struct span envelope, bool *is_malformed);
/* One that was read from disk; takes the arena over. */
MUST_USE struct message *message_adopt(struct qmgr *qmgr, const struct store_place *place,
                                       struct arena *arena, const struct store_message *loaded);
/* Is it for a report of this kind to tell of this recipient? */
MUST_USE bool message_reports_on(const struct message *message, uint32_t index, enum dsn_kind kind);
struct message *message_find(struct qmgr *qmgr, struct span queue_id);
static inline struct span message_id(const struct message *message)
{
    return span_from_string(message->place.queue_id);
}
/* What is known of the recipient is no more what is on disk. */
void message_note_change(struct message *message, uint32_t index);
/* The address that an agent gets for a recipient. */
struct span message_recipient_address(const struct message *message, uint32_t index);

/* Is this recipient a list that intake expanded, there for the sender's report alone? */
static inline bool message_is_expanded(const struct message *message, uint32_t index)
{
    return (message->envelope.recipients[index].notify & QUEUE_NOTIFY_EXPANDED) != 0;
}

/* All of it has been tried: what is left is to tell the sender and to write. */
static inline bool message_is_round_over(const struct message *message)
{
    return message->open_count == 0;
}

/* The descriptor for the first delivery, taken over; -1: it is opened when it is wanted. */
void message_keep_ready(struct message *message, int descriptor);
/* The caller's now; -1 when there is none. */
int message_take_ready(struct message *message);

/* It is on disk: log it and begin the round (routes may be there already). */
void message_activate(struct message *message);
/* Read while other deliveries of it may be under way: writes and acknowledges the results that have
 * come, and leaves memory without a round. */
void message_settle(struct message *message);
/* An operator's wish. What waits for an agent stays where it is; what is under way goes on, because
 * its result has to be written. False when the message is so already. */
MUST_USE bool message_alter(struct message *message, enum store_alter_action action);
/* An attempt was asked for at that time: next hops are asked whatever happened to them before. */
void message_flush(struct message *message, int64_t flushed_ms);
/* It is poison: no further attempt, and out of the way. */
void message_set_aside(struct message *message);
/* An agent is gone with some of its recipients: they wait again, or what was wished for meanwhile
 * comes true. */
void message_take_back(struct message *message);
/* Not accepted: forget it. */
/* None of its entries waits afterwards. */
void message_discard(struct message *message);
void message_use(struct message *message);
/* May free the message. */
void message_unuse(struct message *message);

/* What became of a recipient in this round. Texts are copied. will_report: of a success somebody
 * else tells the sender, who asked for it. */
void message_set_result(struct message *message, uint32_t index, const struct outcome *outcome,
                        struct span remote, struct span diagnostic, bool will_report);
/* The recipient under way has become another message, which is in the queue: its agent has yet to
 * say so, and may be gone before. */
void message_note_forward(struct message *message, uint32_t index, struct span queue_id);
/* A report of this kind on the recipient is in the queue. */
void message_note_report(struct message *message, uint32_t index, enum dsn_kind kind);
/* At once if no other write is under way: a qmgr that comes after us must not do it again. */
void message_write_marks(struct message *message);
/* qmgr itself decided without an agent: also logs the delivery line. */
void message_fail_locally(struct message *message, uint32_t index, const struct outcome *outcome);
/* To be told to the agent when the state is written. */
void message_owe_acknowledgement(struct message *message, const struct acknowledgement *owed);
/* After results: write marks, or close the round. May free the message. */
void message_progress(struct message *message);
/* The report is in the queue; bounce has yet to say so, and may be gone before. */
void message_report_committed(struct message *message);
/* The report under way is in the queue (or none was due), or could not be made. */
void message_report_done(struct message *message, bool is_done);

#endif
