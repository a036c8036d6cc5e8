/* tests/bounce/bounce - the daemon in its sandbox, this program being qmgr: an original and a
 * request in, a report in a queue file out. */
#include "../test.h"

#include <stdlib.h>
#include <unistd.h>

#include "../daemon.h"
#include "conf/bounce.h"
#include "dsn/report.h"
#include "ipc/codec.h"
#include "queuefile/envelope.h"
#include "queuefile/id.h"
#include "queuefile/preamble.h"
#include "system/file.h"

static const char original_header[] = "Received: from a (a [192.0.2.1])\r\n"
                                      "\tby test; Mon, 21 Sep 2026 15:13:20 +0000\r\n"
                                      "Message-ID: <original@example.org>\r\n"
                                      "Subject: the original\r\n";
static const char original_body[] = "A line of the body.\r\n.A dot.\r\n";
#define ORIGINAL_ID "1RpQ0P0000z00000000000000000"

enum { COMMIT_MAX = 4 };

/* What qmgr knows of a message that was committed. */
struct committed {
    struct queue_extent extents[QUEUE_EXTENT_MAX];
    size_t extent_count;
    struct queue_envelope envelope;
    int descriptor;
    char content[32768];
    size_t length;
};

struct queue {
    struct daemon daemon;
    struct ipc_channel *intake;
    struct ipc_channel *requests;
    struct ipc_channel *addrd;
    struct arena arena;
    int granted[64]; /* descriptors by the number in the id */
    size_t granted_count;
    struct committed commits[COMMIT_MAX];
    size_t commit_count;
    bool refuses;
    bool is_answered;
    enum outcome_kind answer;
    char report_id[QUEUE_ID_MAX_BYTES + 1];
};

static struct queue queue;

/* ---- the side of qmgr that takes new mail ---- */

static int open_temporary(void)
{
    char path[] = "/tmp/ph-bounce-test-XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    (void)unlink(path);
    return descriptor;
}

static void grant(void)
{
    char id[QUEUE_ID_MAX_BYTES + 1];
    const uint8_t random[QUEUE_ID_RANDOM_BYTES] = {[11] = (uint8_t)queue.granted_count};
    const size_t length = queue_id_make(1790000200000000, random, id);
    const int descriptor = open_temporary();
    const struct ipc_queue_grant message = {.queue_id = span_of(id, length),
                                            .content = dup(descriptor)};
    assert_true(queue.granted_count < ARRAY_LENGTH(queue.granted));
    queue.granted[queue.granted_count++] = descriptor;
    assert_true(ipc_channel_send(queue.intake, IPC_QUEUE_GRANT, &message));
}

static int descriptor_of(struct span queue_id)
{
    for (size_t i = 0; i < queue.granted_count; i++) {
        char id[QUEUE_ID_MAX_BYTES + 1];
        const uint8_t random[QUEUE_ID_RANDOM_BYTES] = {[11] = (uint8_t)i};
        const size_t length = queue_id_make(1790000200000000, random, id);
        if (span_equals(queue_id, span_of(id, length)))
            return queue.granted[i];
    }
    fail_msg("an id that was not granted");
    return -1;
}

/* As a delivery agent would: extent by extent, and each as its digest says. */
static void read_content(struct committed *commit)
{
    struct digest digest;
    uint8_t actual[DIGEST_BYTES];
    assert_true(digest_init(&digest));
    for (size_t i = 0; i < commit->extent_count; i++) {
        const struct queue_extent *extent = &commit->extents[i];
        char *room = commit->content + commit->length;
        assert_true(extent->length < sizeof(commit->content) - commit->length);
        assert_int_equal(file_pread_all(commit->descriptor, room, extent->length, extent->offset),
                         0);
        digest_start(&digest);
        digest_update(&digest, span_of(room, extent->length));
        assert_true(digest_finish(&digest, actual));
        assert_memory_equal(actual, extent->digest, DIGEST_BYTES);
        commit->length += extent->length;
    }
    digest_destroy(&digest);
}

static void take_commit(const struct ipc_queue_commit *message)
{
    struct committed *commit = &queue.commits[queue.commit_count++];
    assert_true(queue.commit_count <= COMMIT_MAX);
    *commit = (struct committed){.descriptor = descriptor_of(message->queue_id)};
    const struct span envelope = arena_copy(&queue.arena, message->envelope);
    assert_int_equal(queue_extents_decode(message->extents, commit->extents, &commit->extent_count),
                     PARSE_OK);
    assert_int_equal(queue_envelope_decode(envelope, 10, &queue.arena, &commit->envelope),
                     PARSE_OK);
    read_content(commit);
}

static void on_intake(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                      void *context)
{
    const struct ipc_queue_state state = {.outcome = outcome_ok(), .available_bytes = 1 << 30};
    (void)context;
    if (delivery->type == IPC_QUEUE_WANT) {
        assert_true(ipc_channel_send(channel, IPC_QUEUE_STATE, &state));
        while (queue.granted_count < ((struct ipc_queue_want *)delivery->message)->count)
            grant();
    } else if (delivery->type == IPC_QUEUE_COMMIT) {
        const struct ipc_queue_commit_reply reply = {
            .outcome = queue.refuses ? outcome_temporary(452, 3, 1, "queue full") : outcome_ok()};
        take_commit(delivery->message);
        assert_true(ipc_channel_reply(channel, delivery->id, IPC_QUEUE_COMMIT_REPLY, &reply));
    }
}

/* ---- the side of qmgr that asks for reports ---- */

static void on_answer(enum ipc_call_result result, void *message, void *context)
{
    const struct ipc_bounce_reply *reply = message;
    (void)context;
    assert_int_equal(result, IPC_CALL_OK);
    queue.is_answered = true;
    queue.answer = reply->outcome.kind;
    (void)snprintf(queue.report_id, sizeof(queue.report_id), "%.*s", SPAN_PRINTF(reply->report_id));
    loop_stop(queue.daemon.loop);
}

static struct span write_original(int descriptor, bool is_damaged)
{
    static struct buffer extents;
    struct digest digest;
    const struct span parts[] = {span_from_string(original_header), SPAN("\r\n"),
                                 span_from_string(original_body)};
    struct queue_extent list[2] = {
        {.offset = QUEUE_FILE_CONTENT_OFFSET + parts[2].length,
         .length = parts[0].length + parts[1].length},
        {.offset = QUEUE_FILE_CONTENT_OFFSET, .length = parts[2].length},
    };
    assert_true(digest_init(&digest));
    digest_start(&digest);
    digest_update(&digest, parts[0]);
    digest_update(&digest, parts[1]);
    assert_true(digest_finish(&digest, list[0].digest));
    digest_start(&digest);
    digest_update(&digest, parts[2]);
    assert_true(digest_finish(&digest, list[1].digest));
    digest_destroy(&digest);
    list[1].digest[0] ^= is_damaged;
    assert_int_equal(file_pwrite_all(descriptor, parts[2].bytes, parts[2].length, list[1].offset),
                     0);
    assert_int_equal(file_pwrite_all(descriptor, parts[0].bytes, parts[0].length, list[0].offset),
                     0);
    assert_int_equal(file_pwrite_all(descriptor, "\r\n", 2, list[0].offset + parts[0].length), 0);
    buffer_init(&extents, &queue.arena, 1024);
    queue_extents_encode(list, 2, &extents);
    return buffer_span(&extents);
}

static void ask(struct queue_envelope envelope, unsigned kind, bool is_damaged)
{
    struct buffer header, recipients;
    const int descriptor = open_temporary();
    const struct ipc_bounce_recipient recipient = {
        .recipient = SPAN("b@example.net"),
        .orcpt = SPAN("rfc822;sales@example.com"),
        .original = SPAN("sales@example.com"),
        .outcome = outcome_permanent(550, 1, 1, "host mx.example.net[192.0.2.9] said: 550 no"),
        .remote = SPAN("mx.example.net"),
        .diagnostic = SPAN("550 no"),
        .last_attempt_us = 1790000100000000,
        .action = kind % DSN_KIND_COUNT == DSN_DELAY     ? DSN_ACTION_DELAYED
                  : kind % DSN_KIND_COUNT == DSN_SUCCESS ? DSN_ACTION_RELAYED
                                                         : DSN_ACTION_FAILED,
    };
    envelope.arrival_us = 1790000000000000;
    buffer_init(&header, &queue.arena, 8192);
    buffer_init(&recipients, &queue.arena, 8192);
    queue_envelope_encode_header(&envelope, &header);
    ipc_records_append(IPC_BOUNCE_RECIPIENT, &recipient, &recipients);
    assert_true(buffer_ok(&header) && buffer_ok(&recipients));
    const struct ipc_bounce message = {
        .queue_id = SPAN(ORIGINAL_ID),
        .extents = write_original(descriptor, is_damaged),
        .content = descriptor,
        .envelope = buffer_span(&header),
        .recipients = buffer_span(&recipients),
        .kind = kind,
    };
    queue.is_answered = false;
    assert_true(ipc_channel_call_async(queue.requests, IPC_BOUNCE, &message, IPC_BOUNCE_REPLY,
                                       clock_deadline_after(DAEMON_WAIT_MS), on_answer, NULL));
    while (!queue.is_answered)
        assert_true(daemon_run(&queue.daemon));
}

/* Everybody stands for themselves. */
static void on_question(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                        void *context)
{
    const struct ipc_addr_expand_reply reply = {.outcome = outcome_ok()};
    (void)context;
    assert_int_equal(delivery->type, IPC_ADDR_EXPAND);
    assert_true(ipc_channel_reply(channel, delivery->id, IPC_ADDR_EXPAND_REPLY, &reply));
}

static void start_bounce(const char *settings)
{
    static const struct ipc_permission questions[] = {{IPC_ADDR_EXPAND, UINT32_MAX}, {0, 0}};
    static const struct ipc_channel_handlers addrd_handlers = {on_question, NULL, questions};
    static const struct ipc_permission permissions[] = {
        {IPC_QUEUE_WANT, UINT32_MAX},
        {IPC_QUEUE_COMMIT, UINT32_MAX},
        {IPC_QUEUE_ABANDON, UINT32_MAX},
        {0, 0},
    };
    static const struct ipc_channel_handlers intake_handlers = {on_intake, NULL, permissions};
    static const struct ipc_channel_handlers request_handlers = {NULL, NULL, NULL};
    queue = (struct queue){.refuses = false};
    arena_init(&queue.arena, 1 << 20, 0);
    if (!daemon_start(&queue.daemon, loop_create(), "bounce/bounce", IPC_ROLE_BOUNCE,
                      &conf_part_bounce, settings))
        fail_msg("bounce: %s", queue.daemon.failure);
    queue.intake = ipc_channel_create(queue.daemon.loop,
                                      daemon_give_peer(&queue.daemon, IPC_ROLE_QMGR, "qmgr", false),
                                      IPC_ROLE_BOUNCE, &intake_handlers, NULL);
    queue.requests = ipc_channel_create(
        queue.daemon.loop, daemon_give_peer(&queue.daemon, IPC_ROLE_QMGR, "qmgr", true),
        IPC_ROLE_BOUNCE, &request_handlers, NULL);
    queue.addrd = ipc_channel_create(
        queue.daemon.loop, daemon_give_peer(&queue.daemon, IPC_ROLE_ADDRD, "addrd", false),
        IPC_ROLE_BOUNCE, &addrd_handlers, NULL);
}

static void stop_bounce(void)
{
    assert_true(daemon_drain(&queue.daemon));
    ipc_channel_destroy(&queue.intake);
    ipc_channel_destroy(&queue.requests);
    ipc_channel_destroy(&queue.addrd);
    for (size_t i = 0; i < queue.granted_count; i++)
        (void)close(queue.granted[i]);
    loop_destroy(&queue.daemon.loop);
    arena_destroy(&queue.arena);
}

static void assert_contains(const struct committed *commit, const char *text)
{
    const struct span content = span_of(commit->content, commit->length);
    if (span_find(content, span_from_string(text)) == content.length)
        fail_msg("\"%s\" is not in the report:\n%.*s", text, SPAN_PRINTF(content));
}

static bool contains(const struct committed *commit, const char *text)
{
    const struct span content = span_of(commit->content, commit->length);
    return span_find(content, span_from_string(text)) < content.length;
}

static const char settings_default[] = "myhostname = mail.example.com\nmyorigin = example.com\n";

static void test_failure(void **state)
{
    (void)state;
    start_bounce(settings_default);
    ask((struct queue_envelope){.reverse_path = SPAN("a@example.org"), .envid = SPAN("X1")}, 0,
        false);
    assert_int_equal(queue.answer, OUTCOME_OK);
    assert_int_equal(queue.commit_count, 1);
    const struct committed *commit = &queue.commits[0];
    assert_true(queue_id_is_valid(span_from_string(queue.report_id)));
    assert_span_is("report of", commit->envelope.report_of, ORIGINAL_ID);
    assert_span_is("recipients", commit->envelope.report_recipients, "0");
    assert_int_equal(commit->envelope.origin, QUEUE_ORIGIN_BOUNCE);
    assert_true(span_is_empty(commit->envelope.reverse_path));
    assert_int_equal(commit->envelope.recipient_count, 1);
    assert_span_is("to", commit->envelope.recipients[0].forward_path, "a@example.org");
    assert_int_equal(commit->envelope.recipients[0].notify, QUEUE_NOTIFY_NEVER);
    assert_int_equal(commit->envelope.facts.size_bytes, commit->length);
    assert_int_equal(commit->envelope.facts.header_bytes, commit->extents[0].length);
    assert_int_equal(commit->envelope.facts.flags, QUEUE_FACT_LEADING_DOTS);
    assert_true(commit->envelope.facts.longest_line_bytes < 100);
    assert_memory_equal(commit->content, "Received: by mail.example.com (Posthouse)\r\n\tid ", 46);
    static const char *const texts[] = {
        "\r\nFrom: Mail Delivery System <MAILER-DAEMON@example.com>\r\n",
        "\r\nTo: <a@example.org>\r\n",
        "\r\nSubject: Undelivered Mail Returned to Sender\r\n",
        "\r\nOriginal-Envelope-Id: X1\r\n",
        "\r\nReporting-MTA: dns; mail.example.com\r\n",
        "\r\nX-Posthouse-Queue-ID: " ORIGINAL_ID "\r\n",
        "\r\nFinal-Recipient: rfc822; b@example.net\r\n",
        "\r\nRemote-MTA: dns; mx.example.net\r\n",
        "\r\nDiagnostic-Code: smtp; 550 no\r\n",
        "\r\nContent-Type: message/rfc822\r\n",
        "\r\nSubject: the original\r\n\r\nA line of the body.\r\n.A dot.\r\n\r\n--",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        assert_contains(commit, texts[i]);
    assert_false(contains(commit, "References:"));
    stop_bounce();
}

static void test_headers_only(void **state)
{
    (void)state;
    static const struct {
        const char *name, *settings;
        enum queue_return ret;
        unsigned kind;
    } rows[] = {
        {"RET=HDRS", settings_default, QUEUE_RETURN_HEADERS, 0},
        {"large", "bounce_size_limit = 50\nenable_threaded_bounces = yes\n",
         QUEUE_RETURN_UNSPECIFIED, 0},
        {"delay", settings_default, QUEUE_RETURN_FULL, 1},
        {"success", settings_default, QUEUE_RETURN_FULL, 2},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        start_bounce(rows[i].settings);
        ask((struct queue_envelope){.reverse_path = SPAN("a@example.org"), .ret = rows[i].ret},
            rows[i].kind, false);
        assert_int_equal(queue.answer, OUTCOME_OK);
        assert_contains(&queue.commits[0], "\r\nContent-Type: text/rfc822-headers\r\n");
        assert_contains(&queue.commits[0], "\r\nSubject: the original\r\n\r\n--");
        if (contains(&queue.commits[0], "A line of the body"))
            fail_msg("%s: the body was returned", rows[i].name);
        if (contains(&queue.commits[0], "\r\nReferences: <original@example.org>\r\n") != (i == 1))
            fail_msg("%s: References", rows[i].name);
        stop_bounce();
    }
}

/* RFC 5321 section 6.1: nobody is told about the failure of a report. */
static void test_nobody_to_tell(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *sender;
        uint32_t flags;
        size_t commit_count;
    } rows[] = {
        {settings_default, "", 0, 0},
        {settings_default, "double-bounce@example.com", 0, 0},
        {settings_default, "anybody@example.com", QUEUE_FLAG_NO_REPORT, 0},
        {"myorigin = example.com\nnotify_classes = 2bounce\n", "", 0, 1},
        {"myorigin = example.com\nnotify_classes = 2bounce\n", "double-bounce@example.com", 0, 0},
        {"myorigin = example.com\nnotify_classes = bounce\n", "a@example.org", 0, 2},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        start_bounce(rows[i].settings);
        ask((struct queue_envelope){.reverse_path = span_from_string(rows[i].sender),
                                    .flags = rows[i].flags},
            0, false);
        assert_int_equal(queue.answer, OUTCOME_OK);
        assert_int_equal(queue.commit_count, rows[i].commit_count);
        assert_int_equal(queue.report_id[0] != '\0', rows[i].commit_count > 0);
        if (rows[i].commit_count > 0) {
            const struct committed *copy = &queue.commits[rows[i].commit_count - 1];
            assert_span_is("to", copy->envelope.recipients[0].forward_path,
                           "postmaster@example.com");
            assert_span_is("from", copy->envelope.reverse_path, "double-bounce@example.com");
            assert_int_equal(copy->envelope.flags, QUEUE_FLAG_NO_REPORT);
            assert_contains(copy, "\r\nSubject: Postmaster Copy: Undelivered Mail\r\n");
            assert_int_equal(contains(copy, "A line of the body"), rows[i].sender[0] == '\0');
        }
        stop_bounce();
    }
}

static void test_trouble_is_temporary(void **state)
{
    (void)state;
    const struct queue_envelope envelope = {.reverse_path = SPAN("a@example.org")};
    start_bounce(settings_default);
    queue.refuses = true;
    ask(envelope, 0, false);
    assert_int_equal(queue.answer, OUTCOME_TEMPORARY);
    queue.refuses = false;
    queue.commit_count = 0;
    ask(envelope, 0, true); /* the content is not what its digest says: never */
    assert_int_equal(queue.answer, OUTCOME_PERMANENT);
    assert_int_equal(queue.commit_count, 0);
    ask(envelope, 77, false); /* no such kind */
    assert_int_equal(queue.answer, OUTCOME_TEMPORARY);
    ask(envelope, 0, false);
    assert_int_equal(queue.answer, OUTCOME_OK);
    assert_int_equal(queue.commit_count, 1);
    stop_bounce();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_headers_only),
        cmocka_unit_test(test_nobody_to_tell),
        cmocka_unit_test(test_trouble_is_temporary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
