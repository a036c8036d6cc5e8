/* addrd/dispatcher - see dispatcher.h. */
#include "dispatcher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf/own_addresses.h"
#include "system/random.h"
#include "table/paths.h"
#include "worker.h"

enum {
    REPORT_AGAIN_MS = 10000,
    WORKER_ERROR_MAX_BYTES = 2048,
    ANSWER_ARENA_BYTES = 256 * 1024,
    KEY_MAX_BYTES = 1024 /* IPC_ADDRESS_MAX */
};

/* ---- the log ---- */

static void warn(void *context, struct span text)
{
    struct dispatcher *dispatcher = context;
    maillog_text(&dispatcher->service->log, LOG_LEVEL_WARNING, span_empty(), "%.*s",
                 SPAN_PRINTF(text));
}

/* The same failure once in ten seconds. */
static void report_failure(void *context, struct span text)
{
    struct dispatcher *dispatcher = context;
    char line[DISPATCHER_REPORT_BYTES];
    const int64_t now_ms = clock_monotonic_ms();

    (void)snprintf(line, sizeof(line), "%.*s", SPAN_PRINTF(text));
    if (strcmp(line, dispatcher->last_report) == 0 && now_ms < dispatcher->next_report_ms)
        return;
    (void)snprintf(dispatcher->last_report, sizeof(dispatcher->last_report), "%s", line);
    dispatcher->next_report_ms = now_ms + REPORT_AGAIN_MS;
    warn(dispatcher, span_from_string(line[0] ? line : "a table lookup failed"));
}

/* ---- tables that may wait ---- */

/* Appends to *value, and on TABLE_ERROR, or where a table's text is odd, to *reason. */
static enum table_result ask_crew(struct crew *crew, size_t number, struct span key,
                                  struct buffer *value, struct buffer *reason)
{
    struct ipc_table_lookup_reply reply = {.status = TABLE_ERROR};
    const char *failure = "memory is out";
    enum ipc_call_result result = IPC_CALL_CLOSED;
    enum table_result found = TABLE_ERROR;
    struct arena arena;

    if (key.length > KEY_MAX_BYTES)
        return TABLE_NOT_FOUND; /* no name or address is that long */
    arena_init(&arena, ANSWER_ARENA_BYTES, 0);
    const struct ipc_table_lookup question = {.table = (uint32_t)number,
                                              .key = arena_copy(&arena, key)};
    if (question.key.bytes)
        result = crew_ask(crew, number, 0, IPC_TABLE_LOOKUP, &question, IPC_TABLE_LOOKUP_REPLY,
                          &reply, &arena, &failure);
    if (result == IPC_CALL_OK && reply.status <= TABLE_ERROR)
        found = (enum table_result)reply.status;
    if (found == TABLE_FOUND)
        buffer_append_span(value, reply.value);
    if (result == IPC_CALL_OK)
        buffer_append_span(reason, reply.reason);
    else
        buffer_append_string(reason, failure);
    arena_destroy(&arena);
    return found;
}

static enum table_result ask_worker(void *context, struct table *table, struct span key,
                                    struct buffer *value)
{
    struct dispatcher *dispatcher = context;
    const struct addr_tables *tables = &dispatcher->resolver.tables;
    struct buffer reason;

    const size_t number = addr_tables_number(tables, table);
    if (dispatcher->nursery_descriptor < 0 || number == tables->count) {
        table_set_error(table, span_from_string("is busy"));
        return TABLE_ERROR;
    }
    buffer_init(&reason, NULL, WORKER_ERROR_MAX_BYTES);
    const enum table_result result = ask_crew(&dispatcher->crew, number, key, value, &reason);
    if (result == TABLE_ERROR)
        table_set_error(table, buffer_span(&reason));
    else if (reason.length > 0)
        report_failure(dispatcher, buffer_span(&reason)); /* what is odd in the table's text */
    buffer_release(&reason);
    return result;
}

static bool table_may_wait(const struct table *table)
{
    for (size_t i = 0; i < table_part_count(table); i++)
        if (table_may_wait(table_part(table, i)))
            return true;
    return table_is_slow(table) || table_file(table).length > 0; /* locked by postmap for long */
}

static bool needs_workers(const struct addr_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++)
        if (table_may_wait(tables->all[i]))
            return true;
    return false;
}

/* ---- before the sandbox ---- */

static struct sandbox_paths *table_paths(const struct addr_tables *tables, struct arena *arena)
{
    struct sandbox_paths *paths = arena_alloc(arena, sizeof(*paths));

    ASSERT(paths);
    for (size_t i = 0; i < tables->count; i++)
        table_add_paths(tables->all[i], paths, arena);
    return paths;
}

static bool start_nursery(struct dispatcher *dispatcher, const struct sandbox_paths *tables)
{
    struct service *service = dispatcher->service;
    const struct conf_addrd *settings = service->settings;
    struct sandbox_paths *all = arena_alloc(&service->arena, sizeof(*all));

    ASSERT(all);
    sandbox_paths_add_services(all);
    for (size_t i = 0; i < tables->count; i++)
        sandbox_paths_add(all, tables->all[i].path, tables->all[i].access);
    const struct worker_setup setup = {.tables = &dispatcher->resolver.tables,
                                       .paths = all->all,
                                       .path_count = all->count,
                                       .uid = service->profile.uid,
                                       .gid = service->profile.gid,
                                       .lookup_limit_ms = settings->addrd_lookup_timeout_ms};
    dispatcher->nursery_descriptor = worker_start_nursery(&setup);
    if (dispatcher->nursery_descriptor >= 0)
        return true;
    service_say(service, "cannot start workers: %s", strerror(errno));
    return false;
}

static bool find_own_addresses(struct dispatcher *dispatcher)
{
    struct service *service = dispatcher->service;
    const struct conf_addrd *settings = service->settings;
    struct resolver *resolver = &dispatcher->resolver;
    struct conf_host host;
    struct ip_address *addresses;
    struct span unknown;

    if (!conf_host_discover(&service->arena, &host)) {
        service_say(service, "cannot list this machine's interfaces: %s", strerror(errno));
        return false;
    }
    if (!conf_own_addresses(settings->inet_interfaces, settings->proxy_interfaces, &host,
                            &service->arena, &addresses, &resolver->own_address_count, &unknown)) {
        service_say(service, "memory is out");
        return false;
    }
    resolver->own_addresses = addresses;
    if (unknown.length > 0)
        maillog_text(&service->log, LOG_LEVEL_WARNING, span_empty(),
                     "inet_interfaces, proxy_interfaces: host not found: %.*s",
                     SPAN_PRINTF(unknown));
    return true;
}

bool dispatcher_prepare(struct dispatcher *dispatcher, struct service *service)
{
    const struct table_options options = {.warn = warn,
                                          .warn_context = dispatcher,
                                          .ask_elsewhere = ask_worker,
                                          .ask_context = dispatcher,
                                          .turn = loop_turn(service->loop)};
    struct resolver *resolver = &dispatcher->resolver;

    dispatcher->service = service;
    dispatcher->nursery_descriptor = -1;
    *resolver = (struct resolver){
        .settings = service->settings, .report = report_failure, .report_context = dispatcher};
    random_bytes(resolver->seed, sizeof(resolver->seed));
    if (!addr_tables_open(&resolver->tables, service->settings, &options)) {
        service_say(service, "memory is out");
        return false;
    }
    const struct sandbox_paths *paths = table_paths(&resolver->tables, &service->arena);
    service->profile.paths = paths->all;
    service->profile.path_count = paths->count;
    return find_own_addresses(dispatcher) &&
           (!needs_workers(&resolver->tables) || start_nursery(dispatcher, paths));
}

/* ---- in the sandbox ---- */

static void report_crew(void *context, const char *text)
{
    report_failure(context, span_from_string(text));
}

/* A restart brings another nursery; this process cannot make one any more. */
static void on_nursery_gone(void *context)
{
    struct dispatcher *dispatcher = context;
    maillog_text(&dispatcher->service->log, LOG_LEVEL_WARNING, span_empty(),
                 "the process that makes workers is gone; starting over");
    service_leave(dispatcher->service, EXIT_FAILURE);
}

static void on_idle(struct questions *questions)
{
    struct dispatcher *dispatcher = questions->owner;
    if (dispatcher->service->is_draining)
        service_leave(dispatcher->service, EXIT_SUCCESS);
}

/* Files are opened only here, with the rights that lookups have: what cannot be read is told at
 * once, and not after the first rebuild. */
static void try_tables(struct dispatcher *dispatcher)
{
    const struct addr_tables *tables = &dispatcher->resolver.tables;
    for (size_t i = 0; i < tables->count; i++)
        if (table_prepare(tables->all[i]) == TABLE_ERROR)
            warn(dispatcher, table_error(tables->all[i]));
}

bool dispatcher_begin(struct dispatcher *dispatcher)
{
    struct service *service = dispatcher->service;
    const struct conf_addrd *settings = service->settings;

    resolver_for_verification(&dispatcher->resolver, &dispatcher->verification_settings,
                              &dispatcher->verification);
    questions_init(&dispatcher->questions, service->loop, &dispatcher->resolver,
                   &dispatcher->verification);
    dispatcher->questions.on_idle = on_idle;
    dispatcher->questions.owner = dispatcher;
    const struct crew_settings crew = {.nursery = dispatcher->nursery_descriptor,
                                       .worker_count = settings->addrd_worker_count,
                                       .subject_count = dispatcher->resolver.tables.count,
                                       .leaves_one = true,
                                       .starts_all = true,
                                       .waiting_max = SIZE_MAX, /* questions have a limit */
                                       .timeout_ms = settings->addrd_lookup_timeout_ms,
                                       .report = report_crew,
                                       .on_nursery_gone = on_nursery_gone,
                                       .context = dispatcher};
    if (crew.nursery >= 0 && !crew_start(&dispatcher->crew, service->loop, &crew)) {
        service_say(service, "memory is out");
        return false;
    }
    try_tables(dispatcher);
    return true;
}
