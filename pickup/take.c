/* pickup/take - see take.h. */
#include "take.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "intake/recipients.h"
#include "maillog/receive.h"
#include "queuefile/drop.h"
#include "smtp/content.h"
#include "smtp/date.h"
#include "smtp/header.h"
#include "smtp/line_ends.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/task.h"

enum {
    READ_BYTES = 2 * DROP_RECORD_MAX_BYTES,
    MESSAGE_ARENA_BYTES = 4 << 20,
    RECIPIENT_ARENA_BYTES = 16 << 20, /* a virtual alias may be a long list */
    EXPAND_TIMEOUT_MS = 100 * 1000,
    HEADER_GROWTH_BYTES = 65536, /* what completion may add */
    CALL_TIMEOUT_MAX_MS = 300 * 1000,
    COMPLAINT_INTERVAL_MS = 60 * 1000,
    MICROSECONDS_PER_SECOND = 1000000
};

/* One file on its way in. */
struct taking {
    struct pickup *pickup;
    struct span queue_id;
    int descriptor;
    struct stat facts;
    struct arena arena;
    struct arena recipient_arena; /* for one at a time */
    struct drop_reader reader;
    struct drop_header drop; /* texts in the arena */
    struct mailbox sender;
    struct intake_message message;
    struct smtp_line_ends line_ends;
    struct smtp_content_facts content;
    struct buffer header; /* fields as they came */
    bool is_body;
    bool needs_smtputf8;
    bool has_recipient; /* addrd was asked about the first */
    bool is_cut;        /* the rest of the text is too much */
    uint32_t flags;     /* QUEUE_FLAG_, why it goes back */
    bool rewrites_headers;
    uint64_t body_bytes;
    const char *fault; /* why the file cannot be taken, ever */
    struct outcome outcome;
};

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

static void take_header(struct taking *taking, const struct drop_header *header)
{
    struct arena *arena = &taking->arena;
    taking->drop = *header;
    taking->drop.sender = arena_copy(arena, header->sender);
    taking->drop.full_name = arena_copy(arena, header->full_name);
    taking->drop.envid = arena_copy(arena, header->envid);
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
    if (!outcome_is_ok(&taking->outcome))
        return;
    const unsigned flags = expand_flags(taking);
    recipient.original_recipient = dropped->forward_path;
    /* What cannot be completed stays as it is; its sender hears that it is no address. */
    if (complete(taking, dropped->forward_path, arena, &completed) &&
        completed.text.length <= QUEUE_TEXT_MAX_BYTES) {
        recipient.forward_path = completed.text;
        taking->needs_smtputf8 |= completed.needs_smtputf8;
    }
    taking->outcome = intake_expand_recipient(&taking->message, &taking->pickup->addr, &recipient,
                                              taking->sender.text, flags, arena,
                                              clock_deadline_after(EXPAND_TIMEOUT_MS), &expansion);
    if (outcome_is_ok(&taking->outcome) && !taking->has_recipient)
        take_expansion(taking, &expansion);
    if (!outcome_is_ok(&taking->outcome))
        keep_reason(taking);
    taking->has_recipient = true;
    arena_reset(arena);
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
    const size_t header_bytes = (size_t)taking->content.header_bytes;
    struct span rest = span_after(buffer_span(&taking->header), header_bytes);
    if (taking->content.has_separator)
        rest = span_after(rest, 2);
    write_body(taking, rest);
    taking->header.length = header_bytes;
    taking->is_body = true;
}

/* Nobody can be refused any more: it goes back to its sender, who sees how it began. */
static void cut(struct taking *taking)
{
    taking->is_cut = true;
    taking->flags |= QUEUE_FLAG_TOO_BIG;
}

static struct span whole_lines(struct span text)
{
    size_t length = text.length;
    while (length > 0 && text.bytes[length - 1] != '\n')
        length--;
    return span_first(text, length);
}

static void take_line(struct taking *taking, struct span piece)
{
    if (!taking->is_body && piece.length > taking->header.limit - taking->header.length) {
        /* What there is of it, up to the last line that is whole. */
        taking->header.length = whole_lines(buffer_span(&taking->header)).length;
        taking->is_body = true;
        cut(taking);
        return;
    }
    smtp_content_facts_add(&taking->content, piece);
    if (taking->is_body) {
        write_body(taking, piece);
        return;
    }
    buffer_append_span(&taking->header, piece);
    if (!buffer_ok(&taking->header))
        taking->fault = "out of memory";
    else if (taking->content.is_header_done)
        split_header(taking);
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
    while (!taking->fault && !taking->is_cut &&
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

/* ---- the header block ---- */

static void find_zone(int64_t unix_time_s, struct intake_header_facts *facts)
{
    const time_t when = (time_t)unix_time_s;
    struct tm local;
    facts->zone_name = span_empty();
    if (!localtime_r(&when, &local))
        return;
    facts->offset_minutes = (int)(local.tm_gmtoff / 60);
    facts->zone_name = span_from_string(local.tm_zone);
}

/* Received on top (RFC 5321 section 4.4), then the fields, those that are missing, and the empty
 * line. */
static void make_header_block(struct taking *taking, struct buffer *block)
{
    const struct conf_pickup *settings = taking->pickup->settings;
    struct intake_address_rewriter rewriter = {
        .client = &taking->pickup->addr,
        .deadline_ms = clock_deadline_after(EXPAND_TIMEOUT_MS),
    };
    struct intake_header_facts facts = {
        .is_local = true,
        .queue_id = taking->queue_id,
        .reverse_path = taking->sender.text,
        .full_name = taking->drop.full_name,
        .unix_time_s = (int64_t)(clock_realtime_us() / MICROSECONDS_PER_SECOND),
    };
    if (taking->rewrites_headers) {
        facts.replace = intake_replace_address;
        facts.context = &rewriter;
    }
    find_zone(facts.unix_time_s, &facts);
    buffer_append_format(block, "Received: by %.*s (%.*s, from userid %u)\r\n\tid %.*s; ",
                         SPAN_PRINTF(settings->myhostname), SPAN_PRINTF(settings->mail_name),
                         (unsigned)taking->facts.st_uid, SPAN_PRINTF(taking->queue_id));
    smtp_date_append(block, facts.unix_time_s, facts.offset_minutes, facts.zone_name);
    buffer_append_string(block, "\r\n");
    intake_header_append(&taking->pickup->rules, &facts, buffer_span(&taking->header),
                         &taking->arena, block);
    if (rewriter.has_failed)
        taking->outcome = outcome_temporary(451, 3, 0, "an address cannot be looked up");
    if (buffer_ok(block) && outcome_is_ok(&taking->outcome)) {
        maillog_pickup(&taking->pickup->service->log, taking->queue_id,
                       (unsigned)taking->facts.st_uid, taking->drop.sender);
        maillog_message_ids(&taking->pickup->service->log, taking->queue_id, buffer_span(block));
    }
    buffer_append_string(block, "\r\n");
}

/* When it was dropped, by the clock of the file system; never in the future. */
static uint64_t arrival_of(const struct taking *taking)
{
    const struct timespec *when = &taking->facts.st_mtim;
    const uint64_t now_us = clock_realtime_us();
    const uint64_t arrival_us =
        (uint64_t)when->tv_sec * MICROSECONDS_PER_SECOND + (uint64_t)when->tv_nsec / 1000U;
    return when->tv_sec > 0 && arrival_us < now_us ? arrival_us : now_us;
}

static void fill_envelope(const struct taking *taking, struct span block,
                          struct queue_envelope *envelope)
{
    const struct smtp_content_facts *body = &taking->content;
    const uint32_t flags = taking->drop.flags;
    struct smtp_content_facts header;
    smtp_content_facts_init(&header);
    smtp_content_facts_add(&header, block);
    smtp_content_facts_finish(&header);
    const uint64_t longest = header.longest_line_bytes > body->longest_line_bytes
                                 ? header.longest_line_bytes
                                 : body->longest_line_bytes;
    *envelope = (struct queue_envelope){
        .arrival_us = arrival_of(taking),
        .origin = QUEUE_ORIGIN_PICKUP,
        .reverse_path = taking->sender.text,
        .filter = taking->pickup->settings->content_filter,
        .envid = taking->drop.envid,
        .ret = taking->drop.ret,
        .facts =
            {
                .size_bytes = block.length + taking->body_bytes,
                .header_bytes = (uint32_t)block.length,
                .longest_line_bytes = longest > UINT32_MAX ? UINT32_MAX : (uint32_t)longest,
                .received_count = (uint32_t)smtp_header_count(block, SPAN("Received")),
                .flags = (header.has_8bit_header ? (uint32_t)QUEUE_FACT_8BIT_HEADER : 0) |
                         (body->has_8bit_body ? (uint32_t)QUEUE_FACT_8BIT_BODY : 0) |
                         (body->has_leading_dot ? (uint32_t)QUEUE_FACT_LEADING_DOTS : 0) |
                         (body->has_nul ? (uint32_t)QUEUE_FACT_NUL : 0),
            },
        .flags =
            (taking->needs_smtputf8 || flags & DROP_FLAG_SMTPUTF8 ? (uint32_t)QUEUE_FLAG_SMTPUTF8
                                                                  : 0) |
            (flags & DROP_FLAG_BODY_8BITMIME ? (uint32_t)QUEUE_FLAG_BODY_8BITMIME : 0) |
            (flags & DROP_FLAG_REQUIRETLS          ? (uint32_t)QUEUE_FLAG_REQUIRETLS
             : smtp_header_has_tls_optional(block) ? (uint32_t)QUEUE_FLAG_TLS_OPTIONAL
                                                   : 0) |
            (flags & DROP_FLAG_VERIFY_ONLY ? (uint32_t)QUEUE_FLAG_VERIFY : 0) |
            (flags & DROP_FLAG_SEND_REPORT ? (uint32_t)QUEUE_FLAG_TRACE : 0) | taking->flags,
    };
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
    if (!taking->is_body)
        split_header(taking);
    if (taking->fault)
        return;
    buffer_init(&block, NULL, pickup->settings->header_size_limit + HEADER_GROWTH_BYTES);
    make_header_block(taking, &block);
    if (!outcome_is_ok(&taking->outcome)) {
        buffer_release(&block);
        return;
    }
    if (buffer_ok(&block)) {
        fill_envelope(taking, buffer_span(&block), &envelope);
        /* A program that is given mail gives it back to us. */
        if (envelope.facts.received_count > pickup->settings->hopcount_limit)
            envelope.flags |= QUEUE_FLAG_LOOPS;
        taking->outcome = intake_commit(&taking->message, &envelope, buffer_span(&block),
                                        &taking->arena, call_deadline(pickup));
    } else {
        taking->fault = "the header is too big";
    }
    buffer_release(&block);
}

/* It has an id: what is in the file, then the commit. */
static enum take_result take_claimed(struct taking *taking)
{
    buffer_init(&taking->header, NULL, taking->pickup->settings->header_size_limit);
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

static enum take_result take(struct taking *taking)
{
    struct pickup *pickup = taking->pickup;
    bool is_known;
    if (!open_file(taking))
        return taking->fault ? set_aside(taking) : TAKE_LATER;
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
    struct taking *taking = calloc(1, sizeof(*taking)); /* large for a task's stack */
    if (!taking)
        return TAKE_LATER;
    taking->pickup = pickup;
    taking->queue_id = queue_id;
    taking->descriptor = -1;
    arena_init(&taking->arena, MESSAGE_ARENA_BYTES, 0);
    arena_init(&taking->recipient_arena, RECIPIENT_ARENA_BYTES, 0);
    result = take(taking);
    file_close(taking->descriptor);
    arena_destroy(&taking->arena);
    arena_destroy(&taking->recipient_arena);
    free(taking);
    return result;
}
