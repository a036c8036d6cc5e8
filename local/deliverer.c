/* local/deliverer - see deliverer.h. */
#include "deliverer.h"

#include <errno.h>
#include <stdlib.h>

#include "mbox.h"
#include "system/file.h"

struct deliverer {
    struct deliverer_rules rules;
    struct commit *commit;
    struct pool *pool;
};

struct delivery {
    struct commit_delivery delivery;
    struct agent_recipient *recipient;
};

/* The content, a file and a mailbox with its parts; each stays open until its batch is durable. */
enum { DESCRIPTORS_EACH = 8 };

uint32_t deliverer_capacity(void)
{
    const size_t count = file_descriptor_limit() / DESCRIPTORS_EACH;
    if (count == 0)
        return 1;
    return count < DELIVERER_CAPACITY ? (uint32_t)count : DELIVERER_CAPACITY;
}

bool deliverer_set_quota(struct deliverer_rules *rules, struct span quota, struct span code)
{
    rules->is_full_for_good = span_equals(code, SPAN("552"));
    return span_is_empty(quota) || quota_parse(quota, &rules->quota);
}

struct deliverer *deliverer_create(struct loop *loop, struct pool *pool,
                                   const struct deliverer_rules *rules)
{
    struct deliverer *deliverer = calloc(1, sizeof(*deliverer));
    if (!deliverer)
        return NULL;
    deliverer->rules = *rules;
    deliverer->pool = pool;
    if (!rules->is_refusing && !(deliverer->commit = commit_create(loop, pool, rules->policy))) {
        free(deliverer);
        return NULL;
    }
    return deliverer;
}

static void on_done(struct commit_delivery *commit_delivery)
{
    const struct delivery *delivery = CONTAINER_OF(commit_delivery, struct delivery, delivery);
    if (commit_delivery->result.is_corrupt)
        delivery->recipient->message->is_corrupt = true;
    agent_finish(delivery->recipient, commit_delivery->result.outcome);
}

static bool set_place(const struct deliverer_rules *rules, const struct agent_recipient *recipient,
                      struct maildir_place *place)
{
    const struct span path = span_is_empty(rules->mailbox) ? recipient->mailbox : rules->mailbox;
    place->base = rules->base;
    place->is_confined = rules->is_confined;
    place->owner = rules->owner;
    return maildir_place_set_path(place, path) == MAILDIR_PATH_OK;
}

static void fill_request(const struct deliverer *deliverer, const struct agent_recipient *recipient,
                         struct maildir_request *request)
{
    const struct agent_message *message = recipient->message;
    const struct deliverer_rules *rules = &deliverer->rules;
    *request = (struct maildir_request){
        .content = &message->content,
        .queue_id = message->deliver.queue_id,
        .reverse_path = message->envelope.reverse_path,
        .recipient = recipient->recipient,
        /* Postfix writes X-Original-To always; where nothing was rewritten both are the same. A
         * file that is to be shared names nobody. */
        .original_recipient = !rules->has_delivered_to             ? span_empty()
                              : span_is_empty(recipient->original) ? recipient->recipient
                                                                   : recipient->original,
        .host = rules->host,
        .size_limit_bytes = rules->size_limit_bytes,
        .quota = rules->quota,
        .is_full_for_good = rules->is_full_for_good,
        .has_delivered_to = rules->has_delivered_to,
        .refuses_loops = rules->refuses_loops,
        .is_maybe_repeated = message->deliver.is_maybe_repeated,
    };
}

static void job_done(struct commit_delivery *delivery)
{
    struct deliverer_job *job = CONTAINER_OF(delivery, struct deliverer_job, delivery);
    job->done(job);
}

bool deliverer_start(struct deliverer *deliverer, const struct agent_recipient *recipient,
                     struct deliverer_job *job)
{
    struct maildir_request *request = &job->delivery.request;
    fill_request(deliverer, recipient, request);
    request->action = job->action;
    request->has_delivered_to = job->has_delivered_to;
    request->is_maybe_repeated = request->is_maybe_repeated || job->is_maybe_repeated;
    request->place.base = job->base;
    request->place.is_confined = job->is_confined;
    request->place.owner = job->owner;
    if (maildir_place_set_path(&request->place, job->path) != MAILDIR_PATH_OK)
        return false;
    job->delivery.done = job_done;
    commit_deliver(deliverer->commit, &job->delivery);
    return true;
}

/* ---- mailbox files ---- */

struct file_delivery {
    struct pool_job job;
    struct agent_recipient *recipient;
    struct maildir_place place;
    struct mbox_request request;
    struct maildir_result result;
};

static void file_work(struct pool_job *job)
{
    struct file_delivery *delivery = CONTAINER_OF(job, struct file_delivery, job);
    struct mbox_request *request = &delivery->request;
    struct rendition_space *space = rendition_space_create();
    request->directory = space ? maildir_open_parent(&delivery->place, &request->name) : -1;
    if (!space)
        maildir_fail(&delivery->result, ENOMEM, "write the message");
    else if (request->directory < 0)
        maildir_fail(&delivery->result, errno, "open the mailbox's directory");
    else
        mbox_deliver(request, space, &delivery->result);
    file_close(request->directory);
    rendition_space_destroy(&space);
}

static void file_done(struct pool_job *job)
{
    struct file_delivery *delivery = CONTAINER_OF(job, struct file_delivery, job);
    struct outcome outcome = delivery->result.outcome;
    if (delivery->result.is_corrupt)
        delivery->recipient->message->is_corrupt = true;
    if (outcome_is_ok(&outcome))
        outcome.reason = SPAN("delivered to mailbox");
    agent_finish(delivery->recipient, outcome);
}

static bool is_file(const struct deliverer_rules *rules, const struct agent_recipient *recipient)
{
    return span_is_empty(rules->mailbox) && !span_ends_with(recipient->mailbox, SPAN("/"));
}

static void deliver_to_file(struct deliverer *deliverer, struct agent_recipient *recipient)
{
    const struct agent_message *message = recipient->message;
    const struct deliverer_rules *rules = &deliverer->rules;
    struct file_delivery *delivery = arena_alloc(&recipient->message->arena, sizeof(*delivery));
    if (!delivery) {
        agent_finish(recipient, outcome_temporary(451, 3, 0, "out of memory"));
        return;
    }
    *delivery = (struct file_delivery){.job = {.work = file_work, .done = file_done},
                                       .recipient = recipient};
    if (!set_place(rules, recipient, &delivery->place)) {
        agent_finish(recipient,
                     outcome_temporary(451, 2, 0, "the table of mailboxes gives no usable path"));
        return;
    }
    delivery->request = (struct mbox_request){
        .content = &message->content,
        .queue_id = message->deliver.queue_id,
        .reverse_path = message->envelope.reverse_path,
        .original_recipient = !rules->has_delivered_to             ? span_empty()
                              : span_is_empty(recipient->original) ? recipient->recipient
                                                                   : recipient->original,
        .delivered_to = rules->has_delivered_to ? recipient->recipient : span_empty(),
        .path = delivery->place.path,
        .is_in_directory = true,
        .size_limit_bytes = rules->size_limit_bytes,
        .locks = rules->locks,
        .must_be_owner = true,
        .is_maybe_repeated = message->deliver.is_maybe_repeated,
    };
    pool_submit(deliverer->pool, &delivery->job);
}

/* ---- Maildirs ---- */

struct outcome deliverer_unknown_user(const struct agent_recipient *recipient)
{
    struct outcome outcome = outcome_permanent(550, 1, 1, "");
    outcome.reason = arena_format(&recipient->message->arena, "unknown user: \"%.*s\"",
                                  SPAN_PRINTF(recipient->recipient));
    return outcome.reason.bytes ? outcome : outcome_temporary(451, 3, 0, "out of memory");
}

/* NULL: the recipient is finished, or has a mailbox file and will be. */
static struct delivery *make_delivery(struct deliverer *deliverer,
                                      struct agent_recipient *recipient)
{
    struct agent_message *message = recipient->message;
    const struct deliverer_rules *rules = &deliverer->rules;
    struct delivery *delivery = NULL;
    if (rules->is_refusing) {
        agent_finish(recipient, rules->refusal);
        return NULL;
    }
    if (span_is_empty(recipient->mailbox)) {
        agent_finish(recipient, deliverer_unknown_user(recipient));
        return NULL;
    }
    if (agent_is_verification(message)) {
        struct outcome outcome = outcome_ok();
        outcome.reason = SPAN("delivers to mailbox");
        agent_finish(recipient, outcome);
        return NULL;
    }
    if (is_file(rules, recipient)) {
        deliver_to_file(deliverer, recipient);
        return NULL;
    }
    delivery = arena_alloc(&message->arena, sizeof(*delivery));
    if (!delivery) {
        agent_finish(recipient, outcome_temporary(451, 3, 0, "out of memory"));
        return NULL;
    }
    delivery->recipient = recipient;
    delivery->delivery.done = on_done;
    fill_request(deliverer, recipient, &delivery->delivery.request);
    if (!set_place(rules, recipient, &delivery->delivery.request.place)) {
        agent_finish(recipient,
                     outcome_temporary(451, 2, 0, "the table of mailboxes gives no usable path"));
        return NULL;
    }
    return delivery;
}

/* What differs between recipients is only the file's name. */
static bool may_share(const struct deliverer *deliverer, const struct agent_message *message)
{
    return !deliverer->rules.has_delivered_to && !deliverer->rules.is_refusing &&
           !message->deliver.is_maybe_repeated && message->recipient_count > 1;
}

void deliverer_deliver(struct agent_message *message, void *context)
{
    struct deliverer *deliverer = context;
    struct commit_delivery **deliveries =
        arena_alloc(&message->arena, message->recipient_count * sizeof(struct commit_delivery *));
    size_t count = 0;
    /* The message lives at least until its last result was acknowledged. */
    for (size_t i = 0; i < message->recipient_count; i++) {
        struct delivery *delivery = make_delivery(deliverer, &message->recipients[i]);
        if (delivery && deliveries)
            deliveries[count++] = &delivery->delivery;
        else if (delivery)
            commit_deliver(deliverer->commit, &delivery->delivery);
    }
    if (count > 0 && may_share(deliverer, message))
        commit_deliver_shared(deliverer->commit, deliveries, count);
    else if (count > 0)
        commit_deliver_each(deliverer->commit, deliveries, count);
}
