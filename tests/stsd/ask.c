/* tests/stsd/ask - stsd, fetchd and dnsd themselves, in their sandboxes, with the channels between
 * them that master would give; questions come from standard input. For stsd_test.py.
 *   ask DOMAIN HOST   prints STATE, and name=value for id, failure, permits, reason
 *   introspect TEXT   POSTs the text as authd does, prints the result, the HTTP status and the
 * answer as ROLE KIND      a request of that kind by that role; prints the result restart, kill end
 * stsd, the second without a word, and start it again lose fetchd       ends fetchd for good log
 * prints what the daemons logged, and a line with a dot */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../daemon.h"
#include "conf/dnsd.h"
#include "conf/fetchd.h"
#include "conf/stsd.h"
#include "base/number.h"
#include "fetch/client.h"
#include "sts/client.h"
#include "system/task.h"

enum {
    LINE_MAX_BYTES = 1024,
    MAIN_MAX_BYTES = 4096,
    ANSWER_MS = 60000,
    LOG_READ_MS = 20,
    ARENA_BYTES = 1 << 20
};

struct world {
    struct loop *loop;
    char main_text[MAIN_MAX_BYTES];
    struct daemon dnsd, fetchd, stsd;
    bool has_fetchd;
    struct sts_client client;
    struct span domain, host; /* of the question */
    struct fetch_client fetch;
    struct fetch_request request;
};

static void join(struct daemon *client, struct daemon *server, const char *name)
{
    const int end = daemon_give_peer(client, server->role, name, false);
    const struct ipc_peer peer = {.role = client->role,
                                  .service = SPAN("test"),
                                  .process_number = 5000,
                                  .process_id = (uint32_t)client->process,
                                  .is_server = true,
                                  .socket = end};
    (void)ipc_channel_send(server->control, IPC_PEER, &peer);
}

static bool start_stsd(struct world *world)
{
    if (!daemon_start(&world->stsd, world->loop, "stsd/stsd", IPC_ROLE_STSD, &conf_part_stsd,
                      world->main_text))
        return false;
    join(&world->stsd, &world->dnsd, "dnsd");
    if (world->has_fetchd)
        join(&world->stsd, &world->fetchd, "fetchd");
    sts_client_attach(&world->client, daemon_give_peer(&world->stsd, IPC_ROLE_SMTP, "smtp", true));
    return true;
}

static bool start(struct world *world)
{
    world->loop = loop_create();
    if (!world->loop ||
        !daemon_start(&world->dnsd, world->loop, "dnsd/dnsd", IPC_ROLE_DNSD, &conf_part_dnsd,
                      world->main_text) ||
        !daemon_start(&world->fetchd, world->loop, "fetchd/fetchd", IPC_ROLE_FETCHD,
                      &conf_part_fetchd, world->main_text))
        return false;
    world->has_fetchd = true;
    join(&world->fetchd, &world->dnsd, "dnsd");
    sts_client_init(&world->client, world->loop);
    fetch_client_init(&world->fetch, world->loop);
    return start_stsd(world);
}

static void ask(void *argument)
{
    static const char *const states[] = {"none", "testing", "enforce", "unknown"};
    struct world *world = argument;
    struct sts_policy policy;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES, 0);
    sts_lookup(&world->client, world->domain, clock_deadline_after(ANSWER_MS), &arena, &policy);
    (void)printf("%s id=%.*s failure=%s permits=%s reason=%.*s\n", states[policy.state],
                 SPAN_PRINTF(policy.id), tlsrpt_result_name(policy.failure),
                 sts_permits(&policy, world->host) ? "yes" : "no", SPAN_PRINTF(policy.reason));
    arena_destroy(&arena);
    loop_stop(world->loop);
}

static void ask_fetchd(void *argument)
{
    static const char *const results[FETCH_RESULT_COUNT] = {
        "answered", "unreachable", "untrusted", "too-large", "refused", "unavailable"};
    struct world *world = argument;
    struct fetch_answer answer;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES, 0);
    fetch(&world->fetch, &world->request, &arena, &answer);
    (void)printf("%s %u %.*s\n", results[answer.result], (unsigned)answer.http_status,
                 SPAN_PRINTF(answer.body));
    arena_destroy(&arena);
    loop_stop(world->loop);
}

static bool ask_as(struct world *world, enum ipc_role role, const struct fetch_request *request)
{
    world->request = *request;
    world->request.timeout_ms = ANSWER_MS;
    fetch_client_attach(&world->fetch,
                        daemon_give_peer(&world->fetchd, role, ipc_role_name(role), true));
    if (!task_start(world->loop, "fetch", ask_fetchd, world))
        return false;
    loop_run(world->loop);
    return true;
}

static bool ask_of_any_kind(struct world *world, struct span line)
{
    struct span role = span_empty(), kind = span_empty();
    uint64_t number;
    return span_next_word(&line, " \n", &role) && span_next_word(&line, " \n", &kind) &&
           number_parse_uint64(kind, 255, &number) &&
           ask_as(
               world, ipc_role_from_name(role),
               &(struct fetch_request){.kind = (enum fetch_kind)number, .target = SPAN("x.test")});
}

static void on_read(void *loop)
{
    loop_stop(loop);
}

/* What is on its way, too. */
static void print_log(const struct world *world)
{
    struct loop_timer timer;
    loop_timer_init(&timer, world->loop, on_read, world->loop);
    loop_timer_set(&timer, clock_deadline_after(LOG_READ_MS));
    loop_run(world->loop);
    loop_timer_release(&timer);
    const struct daemon *daemons[] = {&world->dnsd, &world->fetchd, &world->stsd};
    for (size_t i = 0; i < ARRAY_LENGTH(daemons); i++)
        (void)printf("%.*s", SPAN_PRINTF(buffer_span(&daemons[i]->log)));
    (void)printf(".\n");
}

static bool obey(struct world *world, struct span line)
{
    struct span command = span_empty();
    (void)span_next_word(&line, " \n", &command);
    if (span_equals(command, SPAN("ask"))) {
        (void)span_next_word(&line, " \n", &world->domain);
        (void)span_next_word(&line, " \n", &world->host);
        if (!task_start(world->loop, "ask", ask, world))
            return false;
        loop_run(world->loop);
        return true;
    }
    if (span_equals(command, SPAN("introspect")))
        return ask_as(world, IPC_ROLE_AUTHD,
                      &(struct fetch_request){
                          .kind = FETCH_INTROSPECTION,
                          .content_type = SPAN("application/x-www-form-urlencoded"),
                          .authorization = SPAN("Bearer abc"),
                          .body = span_trim_spaces(span_first(line, span_find_byte(line, '\n')))});
    if (span_equals(command, SPAN("as")))
        return ask_of_any_kind(world, line);
    if (span_equals(command, SPAN("log"))) {
        print_log(world);
        return true;
    }
    if (span_equals(command, SPAN("lose"))) {
        world->has_fetchd = false;
        (void)daemon_stop(&world->fetchd);
    } else if (span_equals(command, SPAN("kill"))) {
        daemon_kill(&world->stsd);
    } else if (span_equals(command, SPAN("restart"))) {
        (void)daemon_stop(&world->stsd);
    }
    if (!span_equals(command, SPAN("lose")) && !start_stsd(world))
        return false;
    (void)printf("done\n");
    return true;
}

int main(int argument_count, char **arguments)
{
    static struct world world;
    char line[LINE_MAX_BYTES];
    FILE *file = argument_count == 2 ? fopen(arguments[1], "r") : NULL;
    if (!file || fread(world.main_text, 1, sizeof(world.main_text) - 1, file) == 0 ||
        fclose(file) != 0 || !start(&world))
        return 1;
    (void)printf("ready\n");
    (void)fflush(stdout);
    while (fgets(line, sizeof(line), stdin) && obey(&world, span_from_string(line)))
        (void)fflush(stdout);
    bool is_good = daemon_stop(&world.stsd);
    if (world.has_fetchd)
        is_good = daemon_stop(&world.fetchd) && is_good;
    return daemon_stop(&world.dnsd) && is_good ? 0 : 1;
}
