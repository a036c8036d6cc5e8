/* qmgr/load - read messages from disk into the active set; those that are locked, and those that
 * somebody asks for by their id.
 * One task reads (scan's), so that what is read is what stands on disk when the message is taken:
 * no other reader can have begun and ended a round with it meanwhile.
 * A message of which an agent still has a delivery that an earlier qmgr began is locked. It waits
 * for the lock to go. When a result for it comes, it is read in spite of the lock, the result is
 * written and acknowledged, and it waits again: other deliveries of it may be under way. Callers:
 * scan. */
#ifndef QMGR_LOAD_H
#define QMGR_LOAD_H

#include "message.h"

enum { LOADS_PER_JOB = 16 };

struct loader {
    struct qmgr *qmgr;
    const struct store *store;
    struct list locked;   /* struct locked */
    struct list wanted;   /* struct wanted */
    size_t settled_count; /* of them, those with LOAD_WISH_SETTLED */
    struct list alterations;
    int64_t flushed_ms;  /* when everything was flushed */
    uint64_t flushed_us; /* the same by the clock of journals */
    int64_t locked_retry_ms;
    size_t early_count; /* messages that were read and are not due yet: the caller sets it to 0 */
    bool is_retry_set;  /* what could not be read is looked for again */
    struct store_place guess; /* where the last message was found that somebody altered: as a rule
                               * the next one lies there, too */
};

/* When a message of the queue may be tried. */
enum load_haste {
    LOAD_WHEN_DUE,
    LOAD_NOW,    /* before its time */
    LOAD_FLUSHED /* and although its next hop has been left alone, or its transport is */
};

/* Why a message is asked for by its id. */
enum load_wish {
    LOAD_WISH_RESULT,  /* one has come */
    LOAD_WISH_FLUSHED, /* a command wants an attempt now */
    LOAD_WISH_SETTLED  /* some recipients are done, and that is to be written, locked or not */
};

struct load {
    struct store_place place;
    enum load_haste haste;
    bool is_sought; /* wherever it lies */
    bool is_poison; /* set aside unread */
    bool ignores_lock;
    int64_t flushed_ms; /* when that was asked for */
    int64_t waited_ms;  /* for its lock, the last time; 0: it was not known to be locked */
    enum store_load_result result;
    struct arena arena;
    struct store_message message;
};

struct load_job {
    const struct store *store;
    struct load loads[LOADS_PER_JOB];
    size_t count;
};

void loader_init(struct loader *loader, struct qmgr *qmgr, const struct store *store);

/* From the task: what is to be read next, unless it is in memory or locked. A full job must run. */
void load_add(struct loader *loader, struct load_job *job, const struct store_place *place,
              enum load_haste haste);
/* From the task: reads the job's messages and takes them. False when some have to be looked at
 * again. */
bool load_run(struct loader *loader, struct load_job *job);

/* Read it, wherever it lies; flushed_ms: when an attempt was asked for. False when memory is out.
 */
bool loader_want(struct loader *loader, struct span queue_id, enum load_wish wish,
                 int64_t flushed_ms);
size_t loader_wanted_count(const struct loader *loader);
/* It was read in spite of its lock, and is out of memory again. */
void loader_settled(struct loader *loader, const struct store_place *place);

/* A command's wish about one message. Done by the reading task, too: between its finding the file
 * and renaming it nobody reads it into memory. */
struct alteration {
    struct list_link link;
    enum store_alter_action action;
    struct store_place place; /* the id is the caller's */
    enum store_alter_result result;
    int error;
    void (*done)(struct alteration *alteration); /* may free it */
};
void loader_alter(struct loader *loader, struct alteration *alteration);

/* From the task: what cannot wait for the end of a pass. False when there is nothing to do now. */
bool loader_serve(struct loader *loader);
/* When there will be. */
int64_t loader_deadline(const struct loader *loader);

#endif
