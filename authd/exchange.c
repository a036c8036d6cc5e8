/* authd/exchange - see exchange.h. */
#include "exchange_private.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "forward.h"
#include "login_name.h"
#include "maillog/event.h"
#include "mechanisms.h"
#include "password/scheme.h"
#include "patience.h"
#include "system/random.h"
#include "system/task.h"
#include "token.h"

enum { EXCHANGES_MAX = 2000, ARENA_BYTES = 1 << 20 };

/* ---- answers and log lines ---- */

static void tell(struct exchange *exchange, const struct auth_answer *answer)
{
    if (!exchange->is_abandoned)
        exchange->owner.on_answer(exchange->owner.context, answer);
}

static void log_end(const struct exchange *exchange, const struct auth_answer *answer)
{
    const struct log_peer peer = {.name = span_empty(),
                                  .address = exchange->start.client_address,
                                  .port = exchange->start.client_port};
    const struct log_context context = {
        .log = &exchange->authd->service->log, .peer = &peer, .queue_id = span_empty()};
    const struct log_pair service = log_text("service", exchange->start.service);
    const struct log_pair mechanism = log_text("mechanism", exchange->start.mechanism);
    const struct log_pair user = log_text("user", answer->user);
    if (answer->result == AUTH_SUCCESS && exchange->password_name.length > 0)
        log_event(&context, LOG_LEVEL_INFO, "auth.succeeded", service, mechanism, user,
                  log_text("app_password", exchange->password_name));
    else if (answer->result == AUTH_SUCCESS)
        log_event(&context, LOG_LEVEL_INFO, "auth.succeeded", service, mechanism, user);
    else
        log_event(&context, LOG_LEVEL_INFO,
                  answer->result == AUTH_TEMPORARY ? "auth.put_off" : "auth.failed", service,
                  mechanism, user, log_text("reason", answer->reason));
}

static struct auth_answer empty_answer(const struct exchange *exchange, enum auth_result result)
{
    return (struct auth_answer){.result = result,
                                .challenge = span_empty(),
                                .user = exchange->user,
                                .authorization = span_empty(),
                                .reason = span_empty()};
}

/* An attempt that says nothing of a password is no guess. */
static bool is_guess(enum auth_failure failure)
{
    return failure != AUTH_FAILURE_CANCELLED && failure != AUTH_FAILURE_MALFORMED &&
           failure != AUTH_FAILURE_AUTHORIZATION;
}

/* Nobody keeps a place for an answer that nobody waits for. */
static void hold_back(const struct exchange *exchange, int64_t delay_ms)
{
    const int64_t deadline_ms =
        patience_answer_ms(exchange->asked_ms, clock_monotonic_ms(), delay_ms);
    enum task_wake wake = TASK_WOKEN;
    while (!exchange->is_abandoned && wake == TASK_WOKEN)
        wake = task_park(deadline_ms);
}

/* Failures are answered late, each by itself: who guesses gets few guesses. */
void exchange_fail(struct exchange *exchange, enum auth_failure failure, const char *reason)
{
    struct auth_answer answer = empty_answer(exchange, AUTH_FAILURE);
    /* Another server has held its answer back already. */
    int64_t delay_ms =
        exchange->authd->forwarder ? 0 : exchange->authd->conf->auth_failure_delay_ms;
    answer.failure = failure;
    answer.reason = span_from_string(reason);
    log_end(exchange, &answer);
    if (exchange->is_counted && is_guess(failure))
        delay_ms = lockout_fail(exchange->authd, &exchange->lockout, exchange->password);
    lockout_end(exchange->authd, &exchange->lockout);
    if (failure != AUTH_FAILURE_CANCELLED)
        hold_back(exchange, delay_ms);
    tell(exchange, &answer);
}

void exchange_put_off(struct exchange *exchange, const char *reason)
{
    struct auth_answer answer = empty_answer(exchange, AUTH_TEMPORARY);
    answer.failure = exchange->failure;
    answer.reason = span_from_string(reason);
    log_end(exchange, &answer);
    lockout_end(exchange->authd, &exchange->lockout);
    tell(exchange, &answer);
}

/* ---- what the mechanism needs ---- */

static void note_refusal(struct exchange *exchange, enum auth_failure failure, const char *reason)
{
    exchange->failure = failure;
    exchange->reason = reason;
}

/* What a verdict means for the mechanism, and for the log. */
static enum sasl_answer judge(struct exchange *exchange, const struct verdict *verdict)
{
    if (verdict->user.length > 0)
        exchange->user = verdict->user;
    exchange->password_name = verdict->name;
    switch (verdict->result) {
    case CREDENTIAL_MATCH:
        return SASL_ANSWER_YES;
    case CREDENTIAL_MISMATCH:
        note_refusal(exchange, AUTH_FAILURE_CREDENTIALS, "wrong password");
        return SASL_ANSWER_NO;
    case CREDENTIAL_UNKNOWN:
        note_refusal(exchange, AUTH_FAILURE_CREDENTIALS, "unknown user");
        return SASL_ANSWER_NO;
    case CREDENTIAL_SCOPE:
        note_refusal(exchange, AUTH_FAILURE_SCOPE, "the password is not for this service");
        return SASL_ANSWER_NO;
    case CREDENTIAL_ADDRESS:
        note_refusal(exchange, AUTH_FAILURE_ADDRESS, "not from this address");
        return SASL_ANSWER_NO;
    case CREDENTIAL_DISABLED:
        note_refusal(exchange, AUTH_FAILURE_DISABLED, "the account is closed");
        return SASL_ANSWER_NO;
    case CREDENTIAL_EXPIRED:
        note_refusal(exchange, AUTH_FAILURE_EXPIRED, "the password or account has expired");
        return SASL_ANSWER_NO;
    case CREDENTIAL_ERROR:
    case CREDENTIAL_RESULT_COUNT:
        break;
    }
    note_refusal(exchange, AUTH_FAILURE_NONE, "a password database cannot be asked");
    return SASL_ANSWER_TEMPORARY;
}

/* The name as databases have it. */
static enum sasl_answer write_name(struct exchange *exchange, struct span user)
{
    exchange->user = exchange->login = user;
    switch (login_name_make(exchange->authd->conf, user, &exchange->arena, &exchange->user)) {
    case LOGIN_NAME_OK:
        exchange->login = exchange->user;
        return SASL_ANSWER_YES;
    case LOGIN_NAME_FORBIDDEN:
        note_refusal(exchange, AUTH_FAILURE_CREDENTIALS, "a login name that nobody can have");
        return SASL_ANSWER_NO;
    case LOGIN_NAME_NO_MEMORY:
        break;
    }
    note_refusal(exchange, AUTH_FAILURE_NONE, "memory is out");
    return SASL_ANSWER_TEMPORARY;
}

/* May this user try? Who is ahead and may still fail is waited for. */
static bool may_pass(struct exchange *exchange, struct span user)
{
    struct authd *authd = exchange->authd;
    struct lockout *lockout = &exchange->lockout;
    const int64_t deadline_ms = clock_deadline_after(authd->conf->auth_exchange_timeout_ms);
    const char *reason = NULL;
    enum lockout_answer answer = lockout_begin(authd, lockout, user, exchange->start.client_address,
                                               &exchange->arena, &reason);
    enum task_wake wake = TASK_WOKEN;
    while (answer == LOCKOUT_WAIT && !exchange->is_abandoned && wake == TASK_WOKEN) {
        if (!lockout->is_stirred)
            wake = task_park(deadline_ms);
        if (lockout->is_stirred)
            answer = lockout_ask(authd, lockout, &reason);
    }
    exchange->is_counted = answer == LOCKOUT_MAY_TRY;
    if (exchange->is_counted)
        return true;
    lockout_end(authd, lockout);
    note_refusal(exchange, AUTH_FAILURE_LOCKED, reason);
    return false;
}

/* The name, and whether it may be tried at all. */
static enum sasl_answer take_user(struct exchange *exchange, struct span user)
{
    const enum sasl_answer answer = write_name(exchange, user);
    if (answer != SASL_ANSWER_YES || exchange->is_counted)
        return answer;
    return may_pass(exchange, exchange->user) ? SASL_ANSWER_YES : SASL_ANSWER_TEMPORARY;
}

static struct credential_question question_of(const struct exchange *exchange, struct span password)
{
    return (struct credential_question){exchange->user, password, exchange->start.service,
                                        exchange->start.client_address};
}

static void check_password(struct exchange *exchange, struct sasl_server_event *event)
{
    enum sasl_answer answer = take_user(exchange, event->user);
    if (answer == SASL_ANSWER_YES) {
        const struct credential_question question = question_of(exchange, event->secret);
        exchange->password = event->secret;
        verdict_check(exchange->authd, exchange->owner.asker, &question, &exchange->arena,
                      &exchange->verdict);
        answer = judge(exchange, &exchange->verdict);
    }
    sasl_server_answer_check(exchange->sasl, answer, event);
}

static enum sasl_answer find_secret(struct exchange *exchange,
                                    const struct sasl_server_event *event, const char *scheme)
{
    const enum sasl_answer answer = take_user(exchange, event->user);
    if (answer != SASL_ANSWER_YES)
        return answer;
    const struct credential_question question = question_of(exchange, span_empty());
    verdict_find(exchange->authd, exchange->owner.asker, &question, span_from_string(scheme),
                 &exchange->arena, &exchange->verdict);
    const enum sasl_answer found = judge(exchange, &exchange->verdict);
    /* Nothing is proven yet: of the state of accounts the log alone hears. */
    if (found == SASL_ANSWER_NO)
        exchange->failure = AUTH_FAILURE_CREDENTIALS;
    if (exchange->verdict.result == CREDENTIAL_MISMATCH)
        note_refusal(exchange, AUTH_FAILURE_CREDENTIALS,
                     "the stored password does not serve this mechanism");
    else if (found == SASL_ANSWER_YES)
        note_refusal(exchange, AUTH_FAILURE_CREDENTIALS, "wrong password");
    return found;
}

static struct span plain_of(struct span stored)
{
    struct span scheme, rest;
    password_split(stored, SPAN("PLAIN"), &scheme, &rest);
    return span_equals_ascii_nocase(scheme, SPAN("PLAIN")) ? rest : span_empty();
}

/* The work of those whose keys are derived, for one whose verifier is stored. */
static void spend_derivation(enum sasl_hash hash)
{
    struct scram_verifier verifier;
    (void)!scram_verifier_derive(hash, SPAN("nobody's"), SPAN("a salt of no use"), SCRAM_ITERATIONS,
                                 &verifier);
    OPENSSL_cleanse(&verifier, sizeof(verifier));
}

/* Who does not exist looks like those who do, in what is sent and in the time that it takes: like
 * passwords stored as they are, once there was one, otherwise like verifiers. */
static void find_verifier(struct exchange *exchange, struct sasl_server_event *event)
{
    struct authd *authd = exchange->authd;
    uint32_t *iterations = &authd->scram_iterations[event->hash];
    const enum sasl_hash hash = event->hash;
    struct scram_verifier verifier;
    char scheme[32];
    (void)snprintf(scheme, sizeof(scheme), "SCRAM-%s", sasl_hash_name(hash));
    enum sasl_answer answer = find_secret(exchange, event, scheme);
    const struct span stored = exchange->verdict.verifier;
    const struct span plain = answer == SASL_ANSWER_YES ? plain_of(stored) : span_empty();
    if (plain.length > 0)
        authd->derives_keys = true;
    else if (answer == SASL_ANSWER_YES && scram_verifier_parse(stored, &verifier) != PARSE_OK) {
        note_refusal(exchange, AUTH_FAILURE_CREDENTIALS,
                     "the stored verifier cannot be understood");
        answer = SASL_ANSWER_NO;
    }
    sasl_server_set_account(exchange->sasl, exchange->login, authd->derives_keys ? 0 : *iterations);
    if (plain.length > 0 || (answer == SASL_ANSWER_NO && authd->derives_keys)) {
        sasl_server_answer_plaintext(exchange->sasl, answer, plain, event);
        return;
    }
    if (answer == SASL_ANSWER_YES && *iterations == 0)
        *iterations = verifier.iterations;
    if (answer == SASL_ANSWER_YES && authd->derives_keys)
        spend_derivation(hash);
    sasl_server_answer_verifier(exchange->sasl, answer, &verifier, event);
}

static void find_plaintext(struct exchange *exchange, struct sasl_server_event *event)
{
    enum sasl_answer answer = find_secret(exchange, event, "PLAIN");
    const struct span plain =
        answer == SASL_ANSWER_YES ? plain_of(exchange->verdict.verifier) : span_empty();
    if (answer == SASL_ANSWER_YES && plain.length == 0)
        answer = SASL_ANSWER_NO;
    sasl_server_answer_plaintext(exchange->sasl, answer, plain, event);
}

static bool is_same_user(struct exchange *exchange, struct span said, struct span found)
{
    struct span written;
    return login_name_make(exchange->authd->conf, said, &exchange->arena, &written) ==
               LOGIN_NAME_OK &&
           span_equals(written, found);
}

/* Whether anybody may try, from this address: who it will be only the token says. */
static enum sasl_answer count_stranger(struct exchange *exchange)
{
    return may_pass(exchange, span_empty()) ? SASL_ANSWER_YES : SASL_ANSWER_TEMPORARY;
}

/* Whose the token is the token says; who the client said to be must be the same. */
static void check_token(struct exchange *exchange, struct sasl_server_event *event)
{
    const struct span said = event->user;
    struct token_verdict verdict;
    enum sasl_answer answer =
        said.length > 0 ? take_user(exchange, said) : count_stranger(exchange);
    if (answer == SASL_ANSWER_YES) {
        exchange->password = event->secret;
        token_check(exchange->authd, event->secret, &exchange->arena, &verdict);
        exchange->reason = (const char *)verdict.reason.bytes; /* a literal */
        switch (verdict.result) {
        case CREDENTIAL_MATCH:
            exchange->is_counted = said.length > 0; /* now it is known whose attempt it is */
            answer = take_user(exchange, verdict.user);
            if (answer == SASL_ANSWER_YES && said.length > 0 &&
                !is_same_user(exchange, said, exchange->user)) {
                note_refusal(exchange, AUTH_FAILURE_CREDENTIALS, "the token is somebody else's");
                answer = SASL_ANSWER_NO;
            }
            break;
        case CREDENTIAL_EXPIRED:
            exchange->failure = AUTH_FAILURE_EXPIRED;
            answer = SASL_ANSWER_NO;
            break;
        case CREDENTIAL_ERROR:
            answer = SASL_ANSWER_TEMPORARY;
            break;
        default:
            exchange->failure = AUTH_FAILURE_CREDENTIALS;
            answer = SASL_ANSWER_NO;
            break;
        }
        exchange->is_token_refused = answer == SASL_ANSWER_NO;
    }
    sasl_server_answer_token(exchange->sasl, answer, exchange->user, event);
}

/* ---- the course of it ---- */

bool exchange_challenge(struct exchange *exchange, struct span challenge)
{
    const int64_t deadline_ms =
        clock_deadline_after(exchange->authd->conf->auth_exchange_timeout_ms);
    const struct auth_answer answer = {.result = AUTH_CHALLENGE,
                                       .has_challenge = true,
                                       .challenge = challenge,
                                       .user = span_empty(),
                                       .authorization = span_empty(),
                                       .reason = span_empty()};
    exchange->awaits_response = true;
    exchange->has_response = false;
    tell(exchange, &answer);
    enum task_wake wake = TASK_WOKEN;
    while (!exchange->has_response && !exchange->is_abandoned && wake == TASK_WOKEN)
        wake = task_park(deadline_ms);
    exchange->awaits_response = false;
    exchange->asked_ms = clock_monotonic_ms();
    return exchange->has_response;
}

static void wait_for_response(struct exchange *exchange, struct sasl_server_event *event)
{
    if (exchange_challenge(exchange, event->message))
        sasl_server_step(exchange->sasl, exchange->response, event);
    else
        sasl_server_cancel(exchange->sasl, event);
}

static enum auth_failure failure_of(enum sasl_failure failure)
{
    switch (failure) {
    case SASL_FAILURE_MALFORMED:
    case SASL_FAILURE_UNPREPARED:
        return AUTH_FAILURE_MALFORMED;
    case SASL_FAILURE_BINDING:
    case SASL_FAILURE_DOWNGRADE:
        return AUTH_FAILURE_BINDING;
    case SASL_FAILURE_CANCELLED:
        return AUTH_FAILURE_CANCELLED;
    case SASL_FAILURE_CREDENTIALS:
    case SASL_FAILURE_TEMPORARY:
        break;
    }
    return AUTH_FAILURE_CREDENTIALS;
}

static void end_in_failure(struct exchange *exchange, const struct sasl_server_event *event)
{
    if (event->user.length > 0 && exchange->user.length == 0)
        exchange->user = event->user;
    if (event->failure == SASL_FAILURE_TEMPORARY)
        exchange_put_off(exchange,
                         exchange->reason ? exchange->reason : sasl_failure_text(event->failure));
    else if ((event->failure == SASL_FAILURE_CREDENTIALS && exchange->reason) ||
             exchange->is_token_refused) /* the client knew already, and need not say so */
        exchange_fail(exchange, exchange->failure, exchange->reason);
    else
        exchange_fail(exchange, failure_of(event->failure), sasl_failure_text(event->failure));
}

void exchange_succeed(struct exchange *exchange, struct span authorization,
                      const struct span *message)
{
    struct auth_answer answer = empty_answer(exchange, AUTH_SUCCESS);
    answer.authorization = authorization;
    answer.has_challenge = message != NULL;
    if (message)
        answer.challenge = *message;
    log_end(exchange, &answer);
    if (exchange->is_counted)
        lockout_succeed(exchange->authd, &exchange->lockout);
    lockout_end(exchange->authd, &exchange->lockout);
    tell(exchange, &answer);
}

static void end_in_success(struct exchange *exchange, const struct sasl_server_event *event)
{
    struct span wanted = exchange->user;
    if (exchange->user.length == 0 && write_name(exchange, event->user) != SASL_ANSWER_YES) {
        exchange_fail(exchange, exchange->failure, exchange->reason);
        return;
    }
    if (event->authzid.length > 0 && login_name_make(exchange->authd->conf, event->authzid,
                                                     &exchange->arena, &wanted) != LOGIN_NAME_OK) {
        exchange_fail(exchange, AUTH_FAILURE_AUTHORIZATION, "nobody can have the name to act as");
        return;
    }
    /* Many clients say twice who they are: that is no wish to act as somebody else, also where the
     * account has another name for the user (RFC 4616 section 2). */
    if (event->authzid.length == 0 || is_same_user(exchange, event->user, wanted)) {
        wanted = exchange->user;
    } else if (!mechanisms_may_act_as(exchange->authd->conf, exchange->user, wanted)) {
        exchange_fail(exchange, AUTH_FAILURE_AUTHORIZATION, "no right to act as somebody else");
        return;
    }
    exchange_succeed(exchange, wanted, event->has_message ? &event->message : NULL);
}

static bool make_sasl(struct exchange *exchange)
{
    struct authd *authd = exchange->authd;
    const struct auth_start *start = &exchange->start;
    uint8_t random[SASL_RANDOM_BYTES], nonce[SASL_NONCE_BYTES];
    random_bytes(random, sizeof(random));
    sasl_nonce_print(random, nonce);
    const struct sasl_server_config config = {
        .mechanism = exchange->mechanism,
        .nonce = span_of(nonce, sizeof(nonce)),
        .salt_secret = span_of(authd->salt_secret, sizeof(authd->salt_secret)),
        .bindings = {{[SASL_BINDING_TLS_EXPORTER] = start->binding_exporter,
                      [SASL_BINDING_TLS_UNIQUE] = start->binding_unique,
                      [SASL_BINDING_TLS_SERVER_END_POINT] = start->binding_end_point}},
        .offers_plus = start->is_encrypted && mechanisms_have_plus(authd, exchange->mechanism),
        .host_name = authd->conf->myhostname,
        .external_identity = start->certificate_identity,
        .oauth_scope = authd->conf->auth_oauth2_scopes,
        .oauth_configuration_url = authd->conf->auth_oauth2_configuration_url,
    };
    exchange->sasl = sasl_server_create(&config, &exchange->arena);
    return exchange->sasl != NULL;
}

static void converse(struct exchange *exchange)
{
    const struct auth_start *start = &exchange->start;
    struct sasl_server_event event;
    if (!mechanisms_find(exchange->authd, start->mechanism, &exchange->mechanism)) {
        exchange_fail(exchange, AUTH_FAILURE_MECHANISM, "no such mechanism");
        return;
    }
    if (!make_sasl(exchange)) {
        exchange_put_off(exchange, "memory is out");
        return;
    }
    sasl_server_start(exchange->sasl, start->has_initial_response ? &start->initial_response : NULL,
                      &event);
    for (;;) {
        switch (event.step) {
        case SASL_SERVER_CHALLENGE:
            wait_for_response(exchange, &event);
            break;
        case SASL_SERVER_NEED_PASSWORD_CHECK:
            check_password(exchange, &event);
            break;
        case SASL_SERVER_NEED_SCRAM_VERIFIER:
            find_verifier(exchange, &event);
            break;
        case SASL_SERVER_NEED_PLAINTEXT:
            find_plaintext(exchange, &event);
            break;
        case SASL_SERVER_NEED_TOKEN_CHECK:
            check_token(exchange, &event);
            break;
        case SASL_SERVER_SUCCESS:
            end_in_success(exchange, &event);
            return;
        case SASL_SERVER_FAILURE:
            end_in_failure(exchange, &event);
            return;
        }
    }
}

static void run(void *argument)
{
    struct exchange *exchange = argument;
    exchange->asked_ms = clock_monotonic_ms();
    if (exchange->authd->forwarder)
        forward_converse(exchange);
    else
        converse(exchange);
    list_remove(&exchange->authd->exchanges, &exchange->link);
    if (!exchange->is_abandoned)
        exchange->owner.on_end(exchange->owner.context);
    struct authd *authd = exchange->authd;
    arena_destroy(&exchange->arena);
    free(exchange);
    authd_on_client_gone(authd);
}

static bool keep(struct arena *arena, struct span *span)
{
    *span = span->bytes ? arena_copy(arena, *span) : span_empty();
    return span->bytes != NULL;
}

static bool copy_start(struct exchange *exchange)
{
    struct auth_start *start = &exchange->start;
    struct span *const spans[] = {&start->service,           &start->mechanism,
                                  &start->initial_response,  &start->client_address,
                                  &start->server_address,    &start->server_name,
                                  &start->binding_exporter,  &start->binding_unique,
                                  &start->binding_end_point, &start->certificate_identity};
    for (size_t i = 0; i < ARRAY_LENGTH(spans); i++)
        if (!keep(&exchange->arena, spans[i]))
            return false;
    return true;
}

/* The next asker finds room, however many came before it. */
static bool has_room(const struct authd *authd, uint32_t asker)
{
    size_t own_count = 0;
    LIST_FOR_EACH (&authd->exchanges, link)
        own_count += LIST_ITEM(link, struct exchange, link)->owner.asker == asker;
    const size_t others_count = authd->exchanges.count - own_count;
    return authd->exchanges.count < EXCHANGES_MAX && own_count < (EXCHANGES_MAX - others_count) / 2;
}

struct exchange *exchange_start(struct authd *authd, const struct auth_start *start,
                                const struct exchange_owner *owner)
{
    if (!has_room(authd, owner->asker))
        return NULL;
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange)
        return NULL;
    exchange->authd = authd;
    exchange->owner = *owner;
    exchange->start = *start;
    exchange->user = exchange->login = span_empty();
    exchange->password_name = exchange->password = span_empty();
    arena_init(&exchange->arena, ARENA_BYTES, ARENA_WIPE);
    if (copy_start(exchange))
        exchange->task = task_start(authd->service->loop, "exchange", run, exchange);
    if (!exchange->task) {
        arena_destroy(&exchange->arena);
        free(exchange);
        return NULL;
    }
    list_append(&authd->exchanges, &exchange->link);
    return exchange;
}

bool exchange_continue(struct exchange *exchange, struct span response)
{
    if (!exchange->awaits_response || exchange->has_response)
        return false;
    const struct span copy = arena_copy(&exchange->arena, response);
    exchange->response = copy.bytes ? copy : span_empty(); /* full: which no mechanism takes */
    exchange->has_response = true;
    task_wake(exchange->task);
    return true;
}

void exchange_abandon(struct exchange *exchange)
{
    exchange->is_abandoned = true;
    task_wake(exchange->task);
}
