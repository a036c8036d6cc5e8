/* tests/master/wiring - the table is whole, and says what the design says. */
#include "../test.h"

#include "../../master/wiring.h"
#include "conf/part.h"

static void test_programs(void **state)
{
    (void)state;
    for (size_t i = 0; i < wiring_program_count; i++) {
        const struct wiring_program *program = &wiring_programs[i];
        const struct span name = span_from_string(program->program);
        assert_ptr_equal(wiring_find(name), program);
        assert_int_equal(wiring_number(program), i);
        assert_int_equal(ipc_role_from_name(name), program->role);
        if (!conf_part_find(name))
            fail_msg("%s has no settings", program->program);
        if (program->role != IPC_ROLE_LOGD && !wiring_between(program->role, IPC_ROLE_LOGD))
            fail_msg("%s does not log", program->program);
        if (program->stage > WIRING_STAGE_LOG)
            fail_msg("%s leaves after logd", program->program);
    }
    assert_null(wiring_find(SPAN("cleanup")));
    assert_null(wiring_find(span_empty()));
}

/* Rows are uids: their order is for ever. */
static void test_order(void **state)
{
    (void)state;
    static const char *const order[] = {
        "logd",  "qmgr",    "addrd",  "dnsd", "smtpd", "smtp",     "local",  "virtual", "bounce",
        "error", "discard", "limitd", "pipe", "lmtp",  "connectd", "verify", "pickup"};
    assert_true(wiring_program_count >= ARRAY_LENGTH(order));
    for (size_t i = 0; i < ARRAY_LENGTH(order); i++)
        assert_string_equal(wiring_programs[i].program, order[i]);
}

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < wiring_line_count; i++) {
        const struct wiring_line *line = &wiring_lines[i];
        if (line->client != IPC_ROLE_KEYD) /* one has what the one before it had */
            assert_int_not_equal(line->client, line->server);
        assert_ptr_equal(wiring_between(line->client, line->server), line); /* each once */
        assert_non_null(wiring_find(span_from_string(ipc_role_name(line->server))));
    }
}

static void test_who_may_not(void **state)
{
    (void)state;
    static const struct {
        enum ipc_role client, server;
    } pairs[] = {
        {IPC_ROLE_SMTPD, IPC_ROLE_LOCAL},   {IPC_ROLE_SMTPD, IPC_ROLE_SMTP},
        {IPC_ROLE_SMTPD, IPC_ROLE_SMTPD},   {IPC_ROLE_SMTP, IPC_ROLE_QMGR},
        {IPC_ROLE_SMTP, IPC_ROLE_LOCAL},    {IPC_ROLE_LOGD, IPC_ROLE_QMGR},
        {IPC_ROLE_DNSD, IPC_ROLE_QMGR},     {IPC_ROLE_BOUNCE, IPC_ROLE_SMTP},
        {IPC_ROLE_LOCAL, IPC_ROLE_VIRTUAL}, {IPC_ROLE_VIRTUAL, IPC_ROLE_QMGR},
        {IPC_ROLE_MASTER, IPC_ROLE_QMGR},   {IPC_ROLE_SMTPD, IPC_ROLE_CONNECTD},
        {IPC_ROLE_CONNECTD, IPC_ROLE_QMGR},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++)
        if (wiring_between(pairs[i].client, pairs[i].server))
            fail_msg("%s may talk to %s", ipc_role_name(pairs[i].client),
                     ipc_role_name(pairs[i].server));
}

static void test_generations(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum ipc_role client;
        uint32_t client_generation;
        enum ipc_role server;
        uint32_t server_generation;
        bool joins;
    } rows[] = {
        {"one generation", IPC_ROLE_SMTPD, 3, IPC_ROLE_ADDRD, 3, true},
        {"never mixed", IPC_ROLE_SMTPD, 3, IPC_ROLE_ADDRD, 4, false},
        {"never mixed, other way", IPC_ROLE_SMTPD, 4, IPC_ROLE_ADDRD, 3, false},
        {"logs stay apart", IPC_ROLE_SMTPD, 3, IPC_ROLE_LOGD, 4, false},
        {"old intake, new queue", IPC_ROLE_SMTPD, 3, IPC_ROLE_QMGR, 4, true},
        {"new intake, old queue", IPC_ROLE_SMTPD, 4, IPC_ROLE_QMGR, 3, false},
        {"new queue, old agent", IPC_ROLE_QMGR, 4, IPC_ROLE_SMTP, 3, true},
        {"old queue, new agent", IPC_ROLE_QMGR, 3, IPC_ROLE_SMTP, 4, false},
        {"queue and its addresses", IPC_ROLE_QMGR, 4, IPC_ROLE_ADDRD, 3, false},
        {"new keys, old keys", IPC_ROLE_KEYD, 4, IPC_ROLE_KEYD, 3, true},
        {"old keys, new keys", IPC_ROLE_KEYD, 3, IPC_ROLE_KEYD, 4, false},
        {"not on a line", IPC_ROLE_SMTP, 3, IPC_ROLE_SMTPD, 3, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (wiring_joins(rows[i].client, rows[i].client_generation, rows[i].server,
                         rows[i].server_generation) != rows[i].joins)
            fail_msg("%s", rows[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_programs),    cmocka_unit_test(test_order),
        cmocka_unit_test(test_lines),       cmocka_unit_test(test_who_may_not),
        cmocka_unit_test(test_generations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
