/* tests/smtp/conversation - see conversation.h. */
#include "conversation.h"

/* "no such domain" -> "no-such-domain.test"; letters alone make the queue id. */
static void name_row(const struct row *row, char *nexthop, char *queue_id, size_t size)
{
    size_t length = 0, id_length = 0;
    queue_id[id_length++] = 'Q';
    for (const char *c = row->name; *c && length + 8 < size; c++) {
        const bool is_letter =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (is_letter)
            nexthop[length++] = (char)(*c | 0x20);
        else if (*c == ' ')
            nexthop[length++] = '-';
    }
    (void)snprintf(nexthop + length, size - length, ".test");
    for (const char *c = row->name; *c && *c != ' '; c++)
        queue_id[id_length++] = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    queue_id[id_length] = '\0';
}

static const struct world_result *find_result(const struct world *world, uint32_t index)
{
    const struct world_result *found = NULL;
    for (size_t i = 0; i < world->result_count; i++)
        if (world->results[i].index == index) {
            if (found)
                fail_msg("two results for recipient %u", (unsigned)index);
            found = &world->results[i];
        }
    return found;
}

static void check_result(const struct world *world, const char *name, uint32_t index,
                         const char *expected)
{
    static const char kinds[] = {
        [OUTCOME_OK] = '+', [OUTCOME_TEMPORARY] = '-', [OUTCOME_PERMANENT] = '!'};
    const struct world_result *result = find_result(world, index);
    char status[32];
    if (!result)
        fail_msg("%s: no result for recipient %u", name, (unsigned)index);
    (void)snprintf(status, sizeof(status), "%c %u.%u.%u ", kinds[result->outcome.kind],
                   (unsigned)result->outcome.status.class, (unsigned)result->outcome.status.subject,
                   (unsigned)result->outcome.status.detail);
    const struct span reason = result->outcome.reason;
    const struct span wanted = span_from_string(expected + strlen(status));
    if (strncmp(status, expected, strlen(status)) != 0 ||
        span_find(reason, wanted) == reason.length)
        fail_msg("%s: recipient %u: got \"%s%.*s\", expected \"%s\"", name, (unsigned)index, status,
                 SPAN_PRINTF(reason), expected);
}

static void run_row(struct world *world, const struct row *row)
{
    char nexthop[256], queue_id[64];
    name_row(row, nexthop, queue_id, sizeof(nexthop));
    world->mx = row->mx;
    world->complaint[0] = '\0';
    buffer_reset(&world->smtp.log);
    for (size_t i = 0; i < WORLD_SERVERS; i++)
        world->servers[i].script = row->scripts[i];
    const struct world_order order = {.queue_id = queue_id,
                                      .nexthop = row->nexthop ? row->nexthop : nexthop,
                                      .sender = "s@client.test",
                                      .recipients = row->recipients ? row->recipients : "a@d.test",
                                      .content = SPAN(SMALL),
                                      .longest_line = 10};
    world_deliver(world, &order);
    const bool is_over = world_wait(world);
    const struct span log = buffer_span(&world->smtp.log);
    if (!is_over || world->complaint[0])
        fail_msg("%s: %s %s\nlog: %.*s", row->name, is_over ? "" : "not over", world->complaint,
                 SPAN_PRINTF(log));
    uint32_t count = 0;
    for (; count < ARRAY_LENGTH(row->results) && row->results[count]; count++)
        check_result(world, row->name, count, row->results[count]);
    assert_int_equal(world->result_count, count);
    for (size_t i = 0; i < ARRAY_LENGTH(row->log) && row->log[i]; i++)
        if (!world_has_logged(world, row->log[i]))
            fail_msg("%s: the log lacks \"%s\":\n%.*s", row->name, row->log[i],
                     SPAN_PRINTF(buffer_span(&world->smtp.log)));
    if (world->has_site_failure != row->has_site_failure)
        fail_msg("%s: site failure %d", row->name, (int)world->has_site_failure);
}

void conversation_run(struct world *world, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        run_row(world, &rows[i]);
}

static struct world world;
static struct conversation conversation;

static void test_conversations(void **state)
{
    (void)state;
    conversation_run(&world, conversation.rows, conversation.row_count);
}

static int set_up(void **state)
{
    (void)state;
    const bool is_started = conversation.speaks_lmtp
                                ? world_start_lmtp(&world, conversation.settings)
                                : world_start(&world, conversation.settings);
    return is_started ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    world_stop(&world);
    return 0;
}

int conversation_main(const struct conversation *played)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_conversations, set_up, tear_down),
    };
    conversation = *played;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
