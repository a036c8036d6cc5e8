/* authd/worker - see worker.h. */
#include "worker.h"

#include <stdlib.h>
#include <unistd.h>

#include "crew/nursery.h"

enum { ANSWER_ARENA_BYTES = 1 << 20, LOAD_ARENA_BYTES = 65536 };

static const unsigned promises_of_kind[DATABASE_KIND_COUNT] = {
    [DATABASE_OF_FILES] = SANDBOX_RECEIVE_FDS | SANDBOX_READ_FILES | SANDBOX_THREADS,
    [DATABASE_OF_NETWORK] = SANDBOX_RECEIVE_FDS | SANDBOX_READ_FILES | SANDBOX_THREADS |
                            SANDBOX_CONNECT | SANDBOX_CONNECT_LOCAL | SANDBOX_NSS,
    [DATABASE_OF_SHADOW] =
        SANDBOX_RECEIVE_FDS | SANDBOX_READ_FILES | SANDBOX_THREADS | SANDBOX_NSS | SANDBOX_SPAWN,
};

/* What stored passwords are made stronger with is the right to write them. */
#define UPGRADE_PROMISES (SANDBOX_CHANGE_FILES | SANDBOX_WRITE_FD | SANDBOX_SYNC)

static unsigned promises_of(const struct worker_setup *setup)
{
    return promises_of_kind[setup->kind] |
           (setup->kind == DATABASE_OF_FILES && setup->may_write ? UPGRADE_PROMISES : 0U);
}

static bool is_of_root(enum database_kind kind)
{
    return kind == DATABASE_OF_SHADOW || kind == DATABASE_OF_PAM;
}

/* ---- a worker ---- */

static void reply(struct ipc_channel *channel, uint32_t id, struct database_answer *answer)
{
    const struct ipc_password_reply message = {.result = answer->result,
                                               .user = answer->user,
                                               .verifier = answer->verifier,
                                               .name = answer->name,
                                               .reason = buffer_span(&answer->reason),
                                               .warning = buffer_span(&answer->warning),
                                               .is_upgraded = answer->is_upgraded};
    (void)ipc_channel_reply(channel, id, IPC_PASSWORD_REPLY, &message); /* or it is gone */
}

static struct database *find_database(const struct worker_setup *setup, uint32_t number)
{
    return number < setup->database_count && setup->databases[number].type->kind == setup->kind
               ? &setup->databases[number]
               : NULL;
}

static void refuse(struct ipc_channel *channel, uint32_t id)
{
    const struct ipc_password_reply message = {.result = CREDENTIAL_ERROR,
                                               .reason = SPAN("no database of that number")};
    (void)ipc_channel_reply(channel, id, IPC_PASSWORD_REPLY, &message);
}

/* Where the last database has nobody whose password could be compared, like those before it. */
static void spend_time(const struct worker_setup *setup, const struct database *database,
                       const struct credential_question *question)
{
    bool is_spent = database_spend_time(database, question);
    for (size_t i = 0; i < setup->database_count && !is_spent; i++)
        is_spent = database_spend_time(&setup->databases[i], question);
}

static void check_password(const struct worker_setup *setup, struct ipc_channel *channel,
                           uint32_t id, const struct ipc_password_check *message)
{
    struct database *database = find_database(setup, message->database);
    const struct credential_question question = {message->user, message->password, message->service,
                                                 message->client_address};
    struct database_answer answer;
    struct arena arena;
    if (!database) {
        refuse(channel, id);
        return;
    }
    arena_init(&arena, ANSWER_ARENA_BYTES, ARENA_WIPE);
    database_check(database, &question, &arena, &answer);
    if (answer.result == CREDENTIAL_UNKNOWN && message->is_last)
        spend_time(setup, database, &question);
    reply(channel, id, &answer);
    arena_destroy(&arena);
}

static void find_password(const struct worker_setup *setup, struct ipc_channel *channel,
                          uint32_t id, const struct ipc_password_find *message)
{
    struct database *database = find_database(setup, message->database);
    const struct credential_question question = {message->user, span_empty(), message->service,
                                                 message->client_address};
    struct database_answer answer;
    struct arena arena;
    if (!database) {
        refuse(channel, id);
        return;
    }
    arena_init(&arena, ANSWER_ARENA_BYTES, ARENA_WIPE);
    database_find(database, &question, message->scheme, &arena, &answer);
    reply(channel, id, &answer);
    arena_destroy(&arena);
}

static void answer_question(void *setup, struct ipc_channel *channel,
                            const struct ipc_delivery *delivery)
{
    if (delivery->type == IPC_PASSWORD_CHECK)
        check_password(setup, channel, delivery->id, delivery->message);
    else
        find_password(setup, channel, delivery->id, delivery->message);
}

/* ---- the nursery ---- */

/* A file that is named in the file that a database names: its directory is to be read, too. */
static void add_data_path(struct nursery_plan *plan, const struct database *database,
                          struct arena *arena)
{
    const struct worker_setup *setup = plan->context;
    const size_t slash = span_find_last_byte(database->data_path, '/');
    const char *directory = arena_string(arena, span_first(database->data_path, slash + 1));
    struct sandbox_path *paths = arena_alloc(arena, (plan->path_count + 1) * sizeof(*paths));
    if (slash == database->data_path.length || !directory || !paths)
        return; /* it will be said that the file cannot be opened */
    if (plan->path_count > 0)
        memcpy(paths, plan->paths, plan->path_count * sizeof(*paths));
    paths[plan->path_count] =
        (struct sandbox_path){directory, SANDBOX_PATH_READ | SANDBOX_PATH_OPTIONAL |
                                             (setup->kind == DATABASE_OF_FILES && setup->may_write
                                                  ? (unsigned)SANDBOX_PATH_WRITE
                                                  : 0U)};
    plan->paths = paths;
    plan->path_count++;
}

static bool load_databases(struct nursery_plan *plan)
{
    const struct worker_setup *setup = plan->context;
    struct arena *arena = malloc(sizeof(*arena)); /* as long as the process */
    if (!arena)
        return false;
    arena_init(arena, LOAD_ARENA_BYTES, 0);
    for (size_t i = 0; i < setup->database_count; i++) {
        struct database *database = &setup->databases[i];
        if (database->type->kind != setup->kind)
            continue;
        database_load(database, arena);
        if (database->data_path.length > 0)
            add_data_path(plan, database, arena);
    }
    return true;
}

static bool warm_up(struct nursery_plan *plan)
{
    const struct worker_setup *setup = plan->context;
    if (setup->kind != DATABASE_OF_FILES)
        nursery_warm_up_name_service();
    (void)!sandbox_warm_up_crypto(); /* the dispatcher has tried it, too */
    return load_databases(plan);
}

int worker_start_nursery(struct worker_setup *setup)
{
    static const struct ipc_permission questions[] = {
        {IPC_PASSWORD_CHECK, IPC_ROLE_BIT(IPC_ROLE_AUTHD)},
        {IPC_PASSWORD_FIND, IPC_ROLE_BIT(IPC_ROLE_AUTHD)},
        {0, 0}};
    const bool keeps_user = is_of_root(setup->kind) || setup->uid == SANDBOX_SAME_USER;
    const struct nursery_plan plan = {.program = "authd",
                                      .dispatcher = IPC_ROLE_AUTHD,
                                      .questions = questions,
                                      .is_secret = true,
                                      .promises = promises_of(setup),
                                      /* Modules of PAM run what they like. */
                                      .is_unconfined = setup->kind == DATABASE_OF_PAM,
                                      .paths = setup->paths,
                                      .path_count = setup->path_count,
                                      .uid = keeps_user ? getuid() : setup->uid,
                                      .gid = keeps_user ? getgid() : setup->gid,
                                      .limit_ms = setup->limit_ms,
                                      .warm_up = warm_up,
                                      .answer = answer_question,
                                      .context = setup};
    return nursery_start(&plan);
}
