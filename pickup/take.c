/* pickup/take - see take.h. */
#include "take.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address/verp.h"
#include "intake/recipients.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/task.h"
#include "taking.h"

enum {
    READ_BYTES = 2 * DROP_RECORD_MAX_BYTES,
    MESSAGE_ARENA_BYTES = 4 << 20,
    RECIPIENT_ARENA_BYTES = 16 << 20, /* a virtual alias may be a long list */
    CALL_TIMEOUT_MAX_MS = 300 * 1000,
    COMPLAINT_INTERVAL_MS = 60 * 1000
};

/* What master is told that a task works on: not a queue id, which would be qmgr's affair. */
static const struct span work_prefix = SPAN_LITERAL("drop ");

/* ---- the directory ---- */

static void complain(const struct taking *taking, const char *what, const char *reason)
{
    struct pickup *pickup = taking->pickup;
    const int64_t now_ms = clock_monotonic_ms();
    /* One for all while there is trouble. */
    if (pickup->last_complaint_ms && now_ms < pickup->last_complaint_ms + COMPLAINT_INTERVAL_MS)
        return;
    pickup->last_complaint_ms = now_ms;
    maillog_text(&pickup->service->log, LOG_LEVEL_WARNING, taking->queue_id,
                 "%s: %s; trying again later", what, reason);
}

static enum take_result set_aside(const struct taking *taking)
{
    const struct pickup *pickup = taking->pickup;
    char name[QUEUE_ID_MAX_BYTES + 1] = "", target[QUEUE_ID_MAX_BYTES + 16] = "corrupt/";
    memcpy(name, taking->queue_id.bytes, taking->queue_id.length);
    memcpy(target + 8, name, sizeof(name));
    /* Neither a pipe nor a link holds a message, and the sandbox would not let them move. */
    if (!S_ISREG(taking->facts.st_mode)) {
        const int flags = S_ISDIR(taking->facts.st_mode) ? AT_REMOVEDIR : 0;
        if (unlinkat(pickup->maildrop, name, flags) != 0)
            complain(taking, taking->fault, strerror(errno));
        else
            maillog_text(&pickup->service->log, LOG_LEVEL_WARNING, taking->queue_id,
                         "uid=%u: %s; removed", (unsigned)taking->facts.st_uid, taking->fault);
        return TAKE_LATER;
    }
    const bool is_moved = (mkdirat(pickup->maildrop, "corrupt", 0700) == 0 || errno == EEXIST) &&
                          renameat(pickup->maildrop, name, pickup->maildrop, target) == 0;
    if (is_moved)
        maillog_text(&pickup->service->log, LOG_LEVEL_WARNING, taking->queue_id,
                     "uid=%u: %s; moved to maildrop/corrupt", (unsigned)taking->facts.st_uid,
                     taking->fault);
    else
        complain(taking, taking->fault, strerror(errno));
    return is_moved ? TAKE_DONE : TAKE_LATER;
}

void take_away(struct pickup *pickup, struct span queue_id)
{
    const struct ipc_queue_source_gone gone = {.queue_id = queue_id};
    char name[QUEUE_ID_MAX_BYTES + 1] = "";
    if (queue_id.length > QUEUE_ID_MAX_BYTES)
        return;
    memcpy(name, queue_id.bytes, queue_id.length);
    if (unlinkat(pickup->maildrop, name, 0) != 0 && errno != ENOENT) {
        maillog_text(&pickup->service->log, LOG_LEVEL_WARNING, queue_id,
                     "cannot remove the dropped file, the message is in the queue: %s; trying "
                     "again later",
                     strerror(errno));
        return;
    }
    if (intake_channel(&pickup->intake))
        (void)ipc_channel_send(intake_channel(&pickup->intake), IPC_QUEUE_SOURCE_GONE, &gone);
}

/* False with the fault set, or without: it has gone, or cannot be opened now. */
static bool open_file(struct taking *taking)
{
    char name[QUEUE_ID_MAX_BYTES + 1] = "";
    memcpy(name, taking->queue_id.bytes, taking->queue_id.length);
    if (fstatat(taking->pickup->maildrop, name, &taking->facts, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    if (!S_ISREG(taking->facts.st_mode)) {
        taking->fault = "not a regular file";
        return false;
    }
    taking->descriptor =
        openat(taking->pickup->maildrop, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (taking->descriptor < 0) {
        if (errno == EACCES)
            taking->fault = "it may not be read";
        else if (errno != ENOENT)
            complain(taking, "cannot open the dropped file", strerror(errno));
        return false;
    }
    if (fstat(taking->descriptor, &taking->facts) != 0)
        return false;
    if (!S_ISREG(taking->facts.st_mode))
        taking->fault = "not a regular file";
    else if (taking->facts.st_nlink != 1)
        taking->fault = "it has another name, too";
    return !taking->fault;
}

/* ---- addresses ---- */

/* Whatever a user typed: what is no address is the name of somebody here. */
static bool complete(const struct taking *taking, struct span text, struct arena *arena,
                     struct mailbox *completed)
{
    struct mailbox mailbox;
    if (span_is_empty(text)) {
        *completed = (struct mailbox){.text = span_empty()};
        return true;
    }
    if (mailbox_parse(text, ADDRESS_LENIENT | (unsigned)ADDRESS_ALLOW_UTF8, arena, &mailbox) !=
            PARSE_OK &&
        !mailbox_set(&mailbox, text, span_empty(), arena))
        return false;
    return address_complete(&taking->pickup->rules.completion, &mailbox, arena, completed);
}

/* Whoever drops files without sendmail has asked for something else: the mail goes without. */
static void check_verp(struct taking *taking)
{
    const struct span delimiters = taking->drop.verp_delimiters;
    const char *reason = NULL;
    if (span_is_empty(delimiters))
        return;
    if (span_is_empty(taking->drop.sender))
        reason = "ignoring VERP request for null sender";
    else if (!verp_delimiters_are_valid(delimiters,
                                        taking->pickup->settings->verp_delimiter_filter))
        reason = "ignoring bad VERP request";
    else
        return;
    maillog_text(&taking->pickup->service->log, LOG_LEVEL_WARNING, taking->queue_id, "%s", reason);
    taking->drop.verp_delimiters = span_empty();
}

static void take_header(struct taking *taking, const struct drop_header *header)
{
    struct arena *arena = &taking->arena;
    taking->drop = *header;
    taking->drop.sender = arena_copy(arena, header->sender);
    taking->drop.full_name = arena_copy(arena, header->full_name);
    taking->drop.envid = arena_copy(arena, header->envid);
    taking->drop.verp_delimiters = arena_copy(arena, header->verp_delimiters);
    check_verp(taking);
    taking->message.needs_originals = !span_is_empty(taking->drop.verp_delimiters);
    const struct span owner = arena_copy(arena, header->owner);
    if (!complete(taking, taking->drop.sender, arena, &taking->sender)) {
        taking->flags |= QUEUE_FLAG_BAD_SENDER;
        if ((span_is_empty(owner) || !complete(taking, owner, arena, &taking->sender)) &&
            !complete(taking, SPAN("postmaster"), arena, &taking->sender))
            taking->fault = "the sender is no address";
    }
    taking->needs_smtputf8 |= taking->sender.needs_smtputf8;
}

/* The arena of the recipient goes. */
static void keep_reason(struct taking *taking)
{
    const struct span reason = arena_copy(&taking->arena, taking->outcome.reason);
    taking->outcome.reason = reason.bytes ? reason : span_empty();
    taking->outcome.kind = OUTCOME_TEMPORARY;
}

/* Nobody can be refused any more: it goes back to its sender, who sees how it began. */
static void cut(struct taking *taking)
{
    taking->is_cut = true;
    taking->flags |= QUEUE_FLAG_TOO_BIG;
}

/* It goes back as if it had been for the first alone: more are never committed. */
static void drop_recipients(struct taking *taking)
{
    const struct queue_recipient recipient = {.forward_path = taking->first_recipient};
    taking->has_too_many = true;
    if (!intake_replace_recipients(&taking->message, &recipient))
        taking->outcome = outcome_temporary(451, 3, 0, "out of memory");
    taking->flags |= QUEUE_FLAG_TOO_BIG;
}

/* Another sender, and whether the header's addresses have other names: said once. */
static void take_expansion(struct taking *taking, const struct addr_expansion *expansion)
{
    taking->rewrites_headers = expansion->rewrites_headers;
    if (!expansion->sender.length)
        return;
    const struct span sender = arena_copy(&taking->arena, expansion->sender);
    struct mailbox mailbox;
    if (sender.bytes && mailbox_parse(sender, ADDRESS_LENIENT | (unsigned)ADDRESS_ALLOW_UTF8,
                                      &taking->arena, &mailbox) == PARSE_OK)
        taking->sender = mailbox;
}

static unsigned expand_flags(const struct taking *taking)
{
    unsigned flags =
        ADDR_EXPAND_COPIES | (taking->has_recipient ? 0U : (unsigned)ADDR_EXPAND_FIRST);
    if (span_list_has(taking->pickup->settings->receive_override_options,
                      SPAN("no_address_mappings")))
        flags |= ADDR_EXPAND_NOTHING;
    return flags;
}

static void take_recipient(struct taking *taking, const struct queue_recipient *dropped)
{
    struct arena *arena = &taking->recipient_arena;
    struct queue_recipient recipient = *dropped;
    struct addr_expansion expansion;
    struct mailbox completed;
    if (!outcome_is_ok(&taking->outcome) || taking->has_too_many)
        return;
    const unsigned flags = expand_flags(taking);
    recipient.original_recipient = dropped->forward_path;
    /* What cannot be completed stays as it is; its sender hears that it is no address. */
    if (complete(taking, dropped->forward_path, arena, &completed) &&
        completed.text.length <= QUEUE_TEXT_MAX_BYTES) {
        recipient.forward_path = completed.text;
        taking->needs_smtputf8 |= completed.needs_smtputf8;
    }
    taking->outcome = intake_expand_recipient(
        &taking->message, &taking->pickup->addr, &recipient, taking->sender.text, flags, arena,
        clock_deadline_after(TAKING_EXPAND_TIMEOUT_MS), &expansion);
    if (outcome_is_ok(&taking->outcome) && !taking->has_recipient)
        take_expansion(taking, &expansion);
    if (!outcome_is_ok(&taking->outcome))
        keep_reason(taking);
    if (!taking->has_recipient)
        taking->first_recipient = arena_copy(&taking->arena, recipient.forward_path);
    taking->has_recipient = true;
    arena_reset(arena);
    if (outcome_is_ok(&taking->outcome) && intake_has_too_many_recipients(&taking->message))
        drop_recipients(taking);
}

/* ---- text ---- */

static void write_body(struct taking *taking, struct span body)
{
    taking->body_bytes += body.length;
    intake_write_body(&taking->message, body);
}

/* The header has ended somewhere in what was collected: cut there. */
static void split_header(struct taking *taking)
{
    const size_t header_bytes =
        (size_t)((int64_t)taking->content.header_bytes - taking->header_cut.dropped_bytes);
    struct span rest = span_after(buffer_span(&taking->header), header_bytes);
    if (taking->content.has_separator)
        rest = span_after(rest, 2);
    write_body(taking, rest);
    taking->header.length = header_bytes;
    taking->is_body = true;
}

static struct span whole_lines(struct span text)
{
    size_t length = text.length;
    while (length > 0 && text.bytes[length - 1] != '\n')
        length--;
    return span_first(text, length);
}

/* Fields lose what they have beyond header_size_limit, as in mail of other servers. What turns out
 * to be the body already loses nothing. */
static void append_header(struct taking *taking, struct span piece)
{
    const struct smtp_content_facts *facts = &taking->content;
    const uint64_t before_bytes = facts->size_bytes - piece.length;
    const uint64_t header_bytes = facts->is_header_done ? facts->header_bytes : facts->size_bytes;
    const struct span fields = header_bytes > before_bytes
                                   ? span_first(piece, (size_t)(header_bytes - before_bytes))
                                   : span_empty();
    smtp_header_cut_append(&taking->header_cut, fields, &taking->header);
    buffer_append_span(&taking->header, span_after(piece, fields.length));
}

static void take_line(struct taking *taking, struct span piece)
{
    smtp_content_facts_add(&taking->content, piece);
    if (taking->is_body) {
        write_body(taking, piece);
        return;
    }
    append_header(taking, piece);
    if (!buffer_ok(&taking->header)) {
        taking->outcome = outcome_temporary(451, 3, 0, "out of memory");
    } else if (taking->content.is_header_done) {
        split_header(taking);
    } else if (taking->header.length > taking_header_limit(taking)) {
        /* What there is of it, up to the last line that is whole. */
        taking->header.length =
            whole_lines(span_first(buffer_span(&taking->header), taking_header_limit(taking)))
                .length;
        taking->is_body = true;
        cut(taking);
    }
}

static void take_text(struct taking *taking, struct span text)
{
    const uint64_t limit = taking->pickup->settings->message_size_limit;
    struct span piece;
    if (taking->is_cut)
        return;
    if (limit && taking->reader.seen.text_bytes > limit) {
        cut(taking);
        return;
    }
    while (!taking->fault && !taking->is_cut && outcome_is_ok(&taking->outcome) &&
           smtp_line_ends_next(&taking->line_ends, &text, &piece))
        if (piece.length)
            take_line(taking, piece);
}

/* The whole file, as it was when it was opened. False with the fault set, or errno. */
static bool read_file(struct taking *taking)
{
    uint8_t *bytes = malloc(READ_BYTES);
    const uint64_t size = (uint64_t)taking->facts.st_size;
    uint64_t offset = 0;
    size_t kept = 0;
    bool is_read = bytes != NULL;
    while (is_read && !taking->fault && offset < size) {
        struct drop_event event;
        enum parse_result result;
        const uint64_t left = size - offset;
        const size_t wanted = left < READ_BYTES - kept ? (size_t)left : READ_BYTES - kept;
        is_read = file_pread_all(taking->descriptor, bytes + kept, wanted, offset) == 0;
        if (!is_read)
            break;
        offset += wanted;
        struct span rest = span_of(bytes, kept + wanted);
        while (!taking->fault &&
               (result = drop_reader_next(&taking->reader, &rest, &event)) == PARSE_OK) {
            if (event.kind == DROP_EVENT_HEADER)
                take_header(taking, &event.header);
            else if (event.kind == DROP_EVENT_RECIPIENT)
                take_recipient(taking, &event.recipient);
            else if (event.kind == DROP_EVENT_TEXT)
                take_text(taking, event.text);
        }
        if (!taking->fault && (result != PARSE_NEED_MORE || rest.length >= READ_BYTES))
            taking->fault = "not what postdrop writes";
        kept = rest.length;
        memmove(bytes, rest.bytes, kept);
        task_yield();
    }
    free(bytes);
    if (is_read && !taking->fault && (!taking->reader.is_at_end || kept > 0))
        taking->fault = "not whole";
    if (is_read && !taking->fault && taking->message.recipient_count == 0)
        taking->fault = "it has no recipient";
    return is_read && !taking->fault;
}

/* ---- one file ---- */

static int64_t call_deadline(const struct pickup *pickup)
{
    const int64_t timeout_ms = pickup->settings->ipc_timeout_ms;
    return clock_deadline_after(timeout_ms < CALL_TIMEOUT_MAX_MS ? timeout_ms
                                                                 : CALL_TIMEOUT_MAX_MS);
}

static void commit(struct taking *taking)
{
    struct pickup *pickup = taking->pickup;
    struct queue_envelope envelope;
    struct buffer block;
    const struct span last = smtp_line_ends_finish(&taking->line_ends);
    if (last.length && !taking->is_cut)
        take_line(taking, last);
    else if (last.length && taking->is_body)
        write_body(taking, last);
    smtp_content_facts_finish(&taking->content);
    if (taking->fault || !outcome_is_ok(&taking->outcome))
        return;
    if (!taking->is_body)
        split_header(taking);
    compose_header(taking, &block);
    if (outcome_is_ok(&taking->outcome)) {
        compose_envelope(taking, buffer_span(&block), &envelope);
        /* A program that is given mail gives it back to us. */
        if (envelope.facts.received_count > pickup->settings->hopcount_limit)
            envelope.flags |= QUEUE_FLAG_LOOPS;
        taking->outcome = intake_commit(&taking->message, &envelope, buffer_span(&block),
                                        &taking->arena, call_deadline(pickup));
    }
    buffer_release(&block);
}

/* It has an id: what is in the file, then the commit. */
static enum take_result take_claimed(struct taking *taking)
{
    /* One piece more than the limit shows that there is too much. */
    buffer_init(&taking->header, NULL, taking_header_limit(taking) + DROP_TEXT_MAX_BYTES);
    smtp_header_cut_init(&taking->header_cut, taking->pickup->settings->header_size_limit);
    drop_reader_init(&taking->reader);
    smtp_content_facts_init(&taking->content);
    taking->outcome = outcome_ok();
    const bool is_read = read_file(taking);
    if (!is_read && !taking->fault)
        taking->outcome = outcome_temporary(451, 3, 0, strerror(errno));
    if (is_read && outcome_is_ok(&taking->outcome))
        commit(taking);
    intake_abandon(&taking->message);
    buffer_release(&taking->header);
    if (taking->fault)
        return set_aside(taking);
    if (!outcome_is_ok(&taking->outcome)) {
        char reason[256];
        (void)snprintf(reason, sizeof(reason), "%.*s", SPAN_PRINTF(taking->outcome.reason));
        complain(taking, "cannot take the message in", reason);
        return TAKE_LATER;
    }
    take_away(taking->pickup, taking->queue_id);
    return TAKE_DONE;
}

void take_note_poison(struct pickup *pickup, struct span work)
{
    const struct span queue_id = span_after(work, work_prefix.length);
    if (!span_starts_with(work, work_prefix) || !queue_id_is_valid(queue_id))
        return;
    char *kept = pickup->poisoned[pickup->poisoned_count++ % PICKUP_POISONED_MAX];
    memcpy(kept, queue_id.bytes, queue_id.length);
    kept[queue_id.length] = '\0';
}

static bool is_poisoned(const struct taking *taking)
{
    for (size_t i = 0; i < PICKUP_POISONED_MAX; i++)
        if (span_equals(taking->queue_id, span_from_string(taking->pickup->poisoned[i])))
            return true;
    return false;
}

static enum take_result take(struct taking *taking)
{
    struct pickup *pickup = taking->pickup;
    bool is_known;
    if (!open_file(taking))
        return taking->fault ? set_aside(taking) : TAKE_LATER;
    if (is_poisoned(taking)) {
        taking->fault = "work on it has killed pickup twice";
        return set_aside(taking);
    }
    if (intake_claim(&pickup->intake, &taking->message, taking->queue_id, &taking->arena,
                     call_deadline(pickup), &taking->outcome, &is_known))
        return take_claimed(taking);
    if (is_known) {
        take_away(pickup, taking->queue_id);
        return TAKE_DONE;
    }
    char reason[256];
    (void)snprintf(reason, sizeof(reason), "%.*s", SPAN_PRINTF(taking->outcome.reason));
    complain(taking, "the queue does not take the message", reason);
    return TAKE_LATER;
}

enum take_result take_in(struct pickup *pickup, struct span queue_id)
{
    enum take_result result = TAKE_LATER;
    char work[QUEUE_ID_MAX_BYTES + 16];
    struct taking *taking = calloc(1, sizeof(*taking)); /* large for a task's stack */
    if (!taking)
        return TAKE_LATER;
    (void)snprintf(work, sizeof(work), "%.*s%.*s", SPAN_PRINTF(work_prefix), SPAN_PRINTF(queue_id));
    task_note(span_from_string(work));
    taking->pickup = pickup;
    taking->queue_id = queue_id;
    taking->descriptor = -1;
    arena_init(&taking->arena, MESSAGE_ARENA_BYTES, 0);
    arena_init(&taking->recipient_arena, RECIPIENT_ARENA_BYTES, 0);
    result = take(taking);
    task_note(span_empty());
    file_close(taking->descriptor);
    arena_destroy(&taking->arena);
    arena_destroy(&taking->recipient_arena);
    free(taking);
    return result;
}
