/* tests/authd/authd - the daemon behind lib/auth's client: who gets in, and who does not. */
#include "../daemon.h"
#include "../test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/client.h"
#include "conf/authd.h"
#include "system/task.h"

enum { PATIENCE_MS = 20000, TURNS_MAX = 8 };

static struct world {
    struct loop *loop;
    struct daemon daemon;
    struct ipc_channel *channel;
    struct auth_client client;
    char directory[64];
} world;

static void write_users(const char *text)
{
    char path[128], temporary[160];
    (void)snprintf(path, sizeof(path), "%s/users", world.directory);
    (void)snprintf(temporary, sizeof(temporary), "%s.new", path);
    FILE *file = fopen(temporary, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(temporary, 0644), 0);
    assert_int_equal(rename(temporary, path), 0);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    (void)channel;
    (void)context;
    auth_client_on_message(&world.client, delivery);
    loop_stop(world.loop);
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    (void)channel;
    (void)context;
    (void)reason;
    auth_client_set_channel(&world.client, NULL);
    ipc_channel_destroy(&world.channel);
}

static bool start(const char *settings)
{
    static const struct ipc_channel_handlers handlers = {on_message, on_closed,
                                                         auth_client_permissions};
    char text[2048];
    (void)snprintf(text, sizeof(text),
                   "data_directory = %s\nauth_failure_delay = 0\n"
                   "auth_databases = passwd-file:%s/users\nmyhostname = mail.example.org\n%s",
                   world.directory, world.directory, settings);
    if (!daemon_start(&world.daemon, world.loop, "authd/authd", IPC_ROLE_AUTHD, &conf_part_authd,
                      text))
        return false;
    auth_client_init(&world.client);
    const int end = daemon_give_peer(&world.daemon, IPC_ROLE_SMTPD, "smtp", true);
    world.channel = ipc_channel_create(world.loop, end, IPC_ROLE_AUTHD, &handlers, NULL);
    auth_client_set_channel(&world.client, world.channel);
    loop_run(world.loop); /* until the mechanisms are there */
    return true;
}

static void stop(void)
{
    auth_client_set_channel(&world.client, NULL);
    ipc_channel_destroy(&world.channel);
    assert_true(daemon_stop(&world.daemon));
}

static void on_log(struct daemon *daemon)
{
    loop_stop(daemon->loop);
}

static void give_up(void *context)
{
    *(bool *)context = true;
    loop_stop(world.loop);
}

/* Lines come in batches. */
static void expect_log(const char *text)
{
    struct loop_timer timer;
    bool is_late = false;
    loop_timer_init(&timer, world.loop, give_up, &is_late);
    loop_timer_set(&timer, clock_deadline_after(PATIENCE_MS));
    world.daemon.on_log = on_log;
    while (!daemon_has_logged(&world.daemon, text) && !is_late)
        loop_run(world.loop);
    world.daemon.on_log = NULL;
    loop_timer_release(&timer);
    if (is_late)
        fail_msg("not in the log: %s", text);
}

/* A conversation: what the client says in turn; "-" first: no initial response. */
struct talk {
    const char *mechanism;
    const char *service;
    const char *address;
    const struct span *responses;
    size_t response_count;
    bool has_initial;
    char result[512];
};

static const char *describe(const struct auth_answer *answer, char *text, size_t size)
{
    static const char *const names[] = {"challenge", "success", "failure", "temporary"};
    (void)snprintf(text, size, "%s %d %.*s/%.*s", names[answer->result], (int)answer->failure,
                   SPAN_PRINTF(answer->user), SPAN_PRINTF(answer->authorization));
    return text;
}

static void converse(void *argument)
{
    struct talk *talk = argument;
    struct auth_exchange exchange;
    struct auth_answer answer;
    struct arena arena;
    size_t said = 0;
    arena_init(&arena, 1 << 20, ARENA_WIPE);
    const struct auth_start start = {
        .service = span_from_string(talk->service ? talk->service : "smtp"),
        .mechanism = span_from_string(talk->mechanism),
        .has_initial_response = talk->has_initial,
        .initial_response = talk->has_initial ? talk->responses[said++] : span_empty(),
        .client_address = span_from_string(talk->address ? talk->address : "192.0.2.7"),
        .is_encrypted = true,
    };
    auth_exchange_start(&exchange, &world.client, &start, clock_deadline_after(PATIENCE_MS), &arena,
                        &answer);
    while (answer.result == AUTH_CHALLENGE && said < talk->response_count)
        auth_exchange_continue(&exchange, talk->responses[said++],
                               clock_deadline_after(PATIENCE_MS), &arena, &answer);
    auth_exchange_cancel(&exchange);
    (void)describe(&answer, talk->result, sizeof(talk->result));
    arena_destroy(&arena);
    loop_stop(world.loop);
}

static void run_talk(struct talk *talk)
{
    talk->result[0] = '\0';
    assert_non_null(task_start(world.loop, "talk", converse, talk));
    while (!talk->result[0])
        loop_run(world.loop);
}

/* PLAIN with the fields separated by "|". */
static void expect_plain(const char *name, const char *fields, const char *service,
                         const char *address, const char *expected)
{
    uint8_t bytes[512];
    const size_t length = strlen(fields);
    assert_true(length < sizeof(bytes));
    for (size_t i = 0; i < length; i++)
        bytes[i] = fields[i] == '|' ? 0 : (uint8_t)fields[i];
    const struct span response = span_of(bytes, length);
    struct talk talk = {.mechanism = "PLAIN",
                        .service = service,
                        .address = address,
                        .responses = &response,
                        .response_count = 1,
                        .has_initial = true};
    run_talk(&talk);
    if (strcmp(talk.result, expected) != 0)
        fail_msg("%s: got \"%s\", expected \"%s\"", name, talk.result, expected);
}

static const char users[] =
    "# people\n"
    "ann:{PLAIN}secret\n"
    /* "secret" in SHA-512, with an app password and networks. */
    "bob@example.org:{SHA512-CRYPT}$6$saltsalt$"
    "TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1"
    ":1000:1000::/home/bob::app_password=phone/imap/{PLAIN}phonepass "
    "app_password=desk/smtp,imap/{PLAIN}deskpass userdb_mail=maildir:~/Maildir\n"
    "carl:{PLAIN}secret::::::allow_nets=192.0.2.0/24,2001:db8::/32\n"
    "dora:{PLAIN}secret::::::nologin\n"
    "erna:{NOSUCHSCHEME}secret\n"
    "fred:::::::nopassword allow_nets=127.0.0.1\n"
    "gina:{PLAIN}secret::::::app_password=broken\n"
    "hans:{PLAIN}secret::::::user=box\n"
    "box:{PLAIN}other\n";

static void test_plain(void **state)
{
    (void)state;
    static const struct {
        const char *name, *fields, *service, *address, *expected;
    } rows[] = {
        {"right", "|ann|secret", NULL, NULL, "success 0 ann/ann"},
        {"in capitals", "|ANN|secret", NULL, NULL, "success 0 ann/ann"},
        {"as himself", "ann|ann|secret", NULL, NULL, "success 0 ann/ann"},
        {"as another", "bob@example.org|ann|secret", NULL, NULL, "failure 10 ann/ann"},
        {"wrong", "|ann|Secret", NULL, NULL, "failure 1 ann/ann"},
        {"a part of it", "|ann|secre", NULL, NULL, "failure 1 ann/ann"},
        {"unknown", "|nobody|secret", NULL, NULL, "failure 1 nobody/nobody"},
        {"a comment is nobody", "|# people|x", NULL, NULL, "failure 1 # people/# people"},
        {"hashed", "|bob@example.org|secret", NULL, NULL,
         "success 0 bob@example.org/bob@example.org"},
        {"hashed, wrong", "|bob@example.org|geheim", NULL, NULL,
         "failure 1 bob@example.org/bob@example.org"},
        {"app password", "|bob@example.org|deskpass", NULL, NULL,
         "success 0 bob@example.org/bob@example.org"},
        {"app password of another service", "|bob@example.org|phonepass", NULL, NULL,
         "failure 8 bob@example.org/bob@example.org"},
        {"app password of this service", "|bob@example.org|phonepass", "imap", NULL,
         "success 0 bob@example.org/bob@example.org"},
        {"right address", "|carl|secret", NULL, "192.0.2.200", "success 0 carl/carl"},
        {"right address of IPv6", "|carl|secret", NULL, "2001:db8::1", "success 0 carl/carl"},
        {"wrong address", "|carl|secret", NULL, "198.51.100.1", "failure 9 carl/carl"},
        {"closed", "|dora|secret", NULL, NULL, "failure 6 dora/dora"},
        {"closed and wrong", "|dora|geheim", NULL, NULL, "failure 1 dora/dora"},
        {"unknown scheme", "|erna|secret", NULL, NULL, "failure 1 erna/erna"},
        {"no password needed", "|fred|whatever", NULL, "127.0.0.1", "success 0 fred/fred"},
        {"no password, elsewhere", "|fred|whatever", NULL, NULL, "failure 9 fred/fred"},
        {"a field that is wrong", "|gina|secret", NULL, NULL, "temporary 0 gina/gina"},
        {"by another name", "|hans|secret", NULL, NULL, "success 0 box/box"},
        {"by another name, as himself", "hans|hans|secret", NULL, NULL, "success 0 box/box"},
        {"by another name, as typed", "HANS|HANS|secret", NULL, NULL, "success 0 box/box"},
        {"by another name, in other letters", "hans|HANS|secret", NULL, NULL, "success 0 box/box"},
        {"by another name, as that", "box|hans|secret", NULL, NULL, "success 0 box/box"},
        {"by another name, as another", "ann|hans|secret", NULL, NULL, "failure 10 box/box"},
        {"the other name, as who has it", "hans|box|other", NULL, NULL, "failure 10 box/box"},
        {"malformed", "ann", NULL, NULL, "failure 2 /"},
    };
    write_users(users);
    assert_true(start(""));
    assert_int_equal(world.client.mechanism_count, 2);
    assert_non_null(auth_client_find(&world.client, SPAN("plain")));
    assert_null(auth_client_find(&world.client, SPAN("CRAM-MD5")));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        expect_plain(rows[i].name, rows[i].fields, rows[i].service, rows[i].address,
                     rows[i].expected);
    expect_log("auth.failed");
    expect_log("reason=\"wrong password\"");
    expect_log("app_password=desk");
    expect_log("cannot understand the field app_password");
    expect_log("a stored password of erna cannot be used");
    assert_false(daemon_has_logged(&world.daemon, "deskpass"));
    assert_false(daemon_has_logged(&world.daemon, "geheim"));
    stop();
}

static void test_login(void **state)
{
    (void)state;
    const struct span right[] = {SPAN("ann"), SPAN("secret")};
    const struct span wrong[] = {SPAN("ann"), SPAN("geheim")};
    struct talk talk = {.mechanism = "login", .responses = right, .response_count = 2};
    write_users(users);
    assert_true(start(""));
    run_talk(&talk);
    assert_string_equal(talk.result, "success 0 ann/ann");
    talk.responses = wrong;
    run_talk(&talk);
    assert_string_equal(talk.result, "failure 1 ann/ann");
    talk.has_initial = true;
    talk.responses = right;
    run_talk(&talk);
    assert_string_equal(talk.result, "success 0 ann/ann");
    talk.mechanism = "NTLM";
    run_talk(&talk);
    assert_string_equal(talk.result, "failure 3 /");
    stop();
}

/* Who has proven nothing learns nothing of the account. */
static void test_unproven(void **state)
{
    (void)state;
    static const struct {
        const char *name, *response, *expected;
    } rows[] = {
        {"wrong", "ann 0123456789abcdef0123456789abcdef", "failure 1 ann/ann"},
        {"unknown", "nobody 0123456789abcdef0123456789abcdef", "failure 1 nobody/nobody"},
        {"closed", "dora 0123456789abcdef0123456789abcdef", "failure 1 dora/dora"},
        {"not from here", "carl 0123456789abcdef0123456789abcdef", "failure 1 carl/carl"},
    };
    write_users(users);
    assert_true(start("auth_mechanisms = cram-md5\n"));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct span response = span_from_string(rows[i].response);
        struct talk talk = {.mechanism = "CRAM-MD5", .responses = &response, .response_count = 1};
        run_talk(&talk);
        if (strcmp(talk.result, rows[i].expected) != 0)
            fail_msg("%s: got \"%s\", expected \"%s\"", rows[i].name, talk.result,
                     rows[i].expected);
    }
    expect_log("reason=\"the account is closed\"");
    stop();
}

static void test_changes(void **state)
{
    (void)state;
    write_users(users);
    assert_true(start("auth_default_realm = example.org\nauth_username_format = %Ln\n"
                      "auth_master_users = ann\n"));
    expect_plain("a realm that the format takes off", "|ann@example.com|secret", NULL, NULL,
                 "success 0 ann/ann");
    expect_plain("may act as others", "carl|ann|secret", NULL, NULL, "success 0 ann/carl");
    write_users("ann:{PLAIN}changed\n");
    expect_plain("the file is read anew", "|ann|changed", NULL, NULL, "success 0 ann/ann");
    expect_plain("the old one is gone", "|ann|secret", NULL, NULL, "failure 1 ann/ann");
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/users", world.directory);
    assert_int_equal(unlink(path), 0);
    expect_plain("no file", "|ann|changed", NULL, NULL, "temporary 0 ann/ann");
    expect_log("auth.database_unavailable");
    write_users("ann:{PLAIN}changed\n");
    expect_plain("it is back", "|ann|changed", NULL, NULL, "success 0 ann/ann");
    stop();
}

/* ---- processes that were taken over ---- */

enum { CROWD = 1100, CROWD_CALLS = 500 };

static size_t crowd_waiting, crowd_held;

static void on_stranger_message(struct ipc_channel *channel UNUSED,
                                const struct ipc_delivery *delivery UNUSED, void *context UNUSED)
{
}

static void on_crowd_answer(enum ipc_call_result result, void *reply, void *context UNUSED)
{
    const struct ipc_auth_reply *answer = reply;
    assert_int_equal(result, IPC_CALL_OK);
    crowd_held += answer->result == AUTH_CHALLENGE;
    if (--crowd_waiting == 0)
        loop_stop(world.loop);
}

/* Begins so many exchanges, and leaves them as they are. How many it could. */
static size_t crowd(struct ipc_channel *channel)
{
    struct ipc_auth_start start = {.service = SPAN("smtp"),
                                   .mechanism = SPAN("LOGIN"),
                                   .initial_response = span_empty(),
                                   .client_address = span_empty(),
                                   .server_address = span_empty(),
                                   .server_name = span_empty(),
                                   .is_encrypted = true};
    crowd_held = 0;
    while (start.exchange < CROWD) {
        while (start.exchange < CROWD && crowd_waiting < CROWD_CALLS) {
            start.exchange++;
            crowd_waiting++;
            assert_true(ipc_channel_call_async(channel, IPC_AUTH_START, &start, IPC_AUTH_REPLY,
                                               clock_deadline_after(PATIENCE_MS), on_crowd_answer,
                                               NULL));
        }
        loop_run(world.loop);
    }
    return crowd_held;
}

/* Whatever they hold, there is room for who comes next. */
static void test_crowds(void **state)
{
    (void)state;
    static const struct ipc_channel_handlers handlers = {on_stranger_message, NULL,
                                                         auth_client_permissions};
    struct ipc_channel *channels[4];
    write_users(users);
    assert_true(start(""));
    for (size_t i = 0; i < ARRAY_LENGTH(channels); i++) {
        const int end = daemon_give_peer(&world.daemon, IPC_ROLE_SMTPD, "smtp", true);
        channels[i] = ipc_channel_create(world.loop, end, IPC_ROLE_AUTHD, &handlers, NULL);
        assert_non_null(channels[i]);
        const size_t held = crowd(channels[i]);
        if (i == 0)
            assert_true(held >= 1000);
        expect_plain("another", "|ann|secret", NULL, NULL, "success 0 ann/ann");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(channels); i++)
        ipc_channel_destroy(&channels[i]);
    stop();
}

static int set_up(void **state)
{
    char path[128];
    (void)state;
    (void)snprintf(world.directory, sizeof(world.directory), "/tmp/posthouse-authd-XXXXXX");
    if (!mkdtemp(world.directory) || chmod(world.directory, 0755) != 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/authd", world.directory);
    if (mkdir(path, 0755) != 0)
        return -1;
    world.loop = loop_create();
    return world.loop ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    loop_destroy(&world.loop);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", world.directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_login, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unproven, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crowds, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
