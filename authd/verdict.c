/* authd/verdict - see verdict.h. */
#include "verdict.h"

#include "maillog/event.h"

enum { REPORT_AGAIN_MS = 60000 };

void verdict_report_trouble(struct authd *authd, struct trouble *trouble, struct span database,
                            struct span reason)
{
    const struct log_context context = {.log = &authd->service->log, .queue_id = span_empty()};
    const int64_t now_ms = clock_monotonic_ms();
    if (trouble->is_there && now_ms < trouble->next_report_ms)
        return;
    trouble->is_there = true;
    trouble->next_report_ms = now_ms + REPORT_AGAIN_MS;
    log_event(&context, LOG_LEVEL_ERROR, "auth.database_unavailable",
              log_text("database", database), log_text("reason", reason),
              log_string("effect", "clients are told to try later"),
              log_string("next", "mend what the reason says; it is asked again at the next login, "
                                 "other settings count after posthouse reload"));
}

void verdict_report_end(struct authd *authd, struct trouble *trouble, struct span database)
{
    const struct log_context context = {.log = &authd->service->log, .queue_id = span_empty()};
    if (trouble->is_there)
        log_event(&context, LOG_LEVEL_INFO, "auth.database_available",
                  log_text("database", database));
    trouble->is_there = false;
}

static void report_warning(struct authd *authd, const struct database *database, struct span text)
{
    const struct log_context context = {.log = &authd->service->log, .queue_id = span_empty()};
    if (text.length > 0)
        log_event(&context, LOG_LEVEL_WARNING, "auth.database_oddity",
                  log_text("database", database_name(database)), log_text("reason", text));
}

static void report_upgrade(struct authd *authd, const struct database *database, struct span user)
{
    const struct log_context context = {.log = &authd->service->log, .queue_id = span_empty()};
    log_event(&context, LOG_LEVEL_INFO, "auth.password_upgraded",
              log_text("database", database_name(database)), log_text("user", user),
              log_text("scheme", authd->conf->auth_password_upgrade));
}

static enum credential_result ask(struct authd *authd, size_t number, uint32_t asker,
                                  enum ipc_type type, const void *message, struct arena *arena,
                                  struct ipc_password_reply *reply)
{
    const struct database *database = &authd->databases[number];
    const char *reason;
    const enum ipc_call_result called =
        crew_ask(&authd->crews[database->type->kind], number, asker, type, message,
                 IPC_PASSWORD_REPLY, reply, arena, &reason);
    if (called != IPC_CALL_OK) {
        verdict_report_trouble(authd, &authd->troubles[number], database_name(database),
                               span_from_string(reason));
        return CREDENTIAL_ERROR;
    }
    report_warning(authd, database, reply->warning);
    if (reply->is_upgraded)
        report_upgrade(authd, database, reply->user);
    if (reply->result == CREDENTIAL_ERROR)
        verdict_report_trouble(authd, &authd->troubles[number], database_name(database),
                               reply->reason);
    else
        verdict_report_end(authd, &authd->troubles[number], database_name(database));
    return reply->result < CREDENTIAL_RESULT_COUNT ? (enum credential_result)reply->result
                                                   : CREDENTIAL_ERROR;
}

/* True: the databases behind are not asked. */
static bool take(enum credential_result result, const struct ipc_password_reply *reply,
                 struct verdict *verdict)
{
    if (result == CREDENTIAL_UNKNOWN)
        return false;
    if (result == CREDENTIAL_ERROR) {
        verdict->result = CREDENTIAL_ERROR;
        verdict->reason = SPAN("a password database cannot be asked");
        return false;
    }
    if (verdict->result == CREDENTIAL_ERROR && result != CREDENTIAL_MATCH)
        return true; /* the one that cannot be asked might have said yes */
    verdict->result = result;
    verdict->user = reply->user;
    verdict->name = reply->name;
    verdict->verifier = reply->verifier;
    verdict->reason = reply->reason;
    return true;
}

static void begin(struct verdict *verdict)
{
    *verdict = (struct verdict){.result = CREDENTIAL_UNKNOWN,
                                .user = span_empty(),
                                .name = span_empty(),
                                .verifier = span_empty(),
                                .reason = span_empty()};
}

/* The last that compares passwords here: an unknown user costs there what a known one would. What
 * decides itself takes its own time. */
static bool is_last(const struct authd *authd, size_t number)
{
    while (++number < authd->database_count)
        if (authd->databases[number].type->look_up)
            return false;
    return true;
}

void verdict_check(struct authd *authd, uint32_t asker, const struct credential_question *question,
                   struct arena *arena, struct verdict *verdict)
{
    begin(verdict);
    for (size_t i = 0; i < authd->database_count; i++) {
        const struct ipc_password_check message = {.database = (uint32_t)i,
                                                   .user = question->user,
                                                   .password = question->password,
                                                   .service = question->service,
                                                   .client_address = question->client_address,
                                                   .is_last = is_last(authd, i)};
        struct ipc_password_reply reply;
        const enum credential_result result =
            ask(authd, i, asker, IPC_PASSWORD_CHECK, &message, arena, &reply);
        if (take(result, &reply, verdict))
            return;
    }
}

void verdict_find(struct authd *authd, uint32_t asker, const struct credential_question *question,
                  struct span scheme, struct arena *arena, struct verdict *verdict)
{
    begin(verdict);
    for (size_t i = 0; i < authd->database_count; i++) {
        const struct ipc_password_find message = {.database = (uint32_t)i,
                                                  .user = question->user,
                                                  .scheme = scheme,
                                                  .service = question->service,
                                                  .client_address = question->client_address};
        struct ipc_password_reply reply;
        const enum credential_result result =
            ask(authd, i, asker, IPC_PASSWORD_FIND, &message, arena, &reply);
        if (take(result, &reply, verdict))
            return;
    }
}
