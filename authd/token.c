/* authd/token - see token.h. */
#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "system/file.h"
#include "verdict.h"

enum {
    KEY_FILE_MAX_BYTES = 1 << 20,
    SECRET_FILE_MAX_BYTES = 4096,
    INTROSPECTION_TIMEOUT_MS = 30000
};

static bool read_file(struct service *service, const char *parameter, struct span path,
                      size_t maximum_bytes, struct span *contents)
{
    const char *name = arena_string(&service->arena, path);
    if (name && file_read_whole(AT_FDCWD, name, maximum_bytes, &service->arena, contents) == 0)
        return true;
    service_say(service, "%s: cannot read %.*s: %s", parameter, SPAN_PRINTF(path), strerror(errno));
    return false;
}

/* id:secret in a file of its own, since everybody reads main.cf; RFC 6749 section 2.3.1. */
static bool read_client(struct authd *authd)
{
    struct service *service = authd->service;
    struct span contents, line, rest;
    struct buffer encoded;
    if (authd->conf->auth_oauth2_client_file.length == 0)
        return true;
    if (!read_file(service, "auth_oauth2_client_file", authd->conf->auth_oauth2_client_file,
                   SECRET_FILE_MAX_BYTES, &contents))
        return false;
    (void)span_split_once(contents, '\n', &line, &rest);
    line = span_trim_spaces(line);
    if (line.length > 0 && line.bytes[line.length - 1] == '\r')
        line.length--;
    if (span_find_byte(line, ':') == line.length) {
        service_say(service, "auth_oauth2_client_file: the first line of %.*s is not id:secret",
                    SPAN_PRINTF(authd->conf->auth_oauth2_client_file));
        return false;
    }
    buffer_init(&encoded, &service->arena, (size_t)2 * SECRET_FILE_MAX_BYTES);
    buffer_append_string(&encoded, "Basic ");
    base64_encode(line, &encoded);
    authd->introspection_authorization = buffer_span(&encoded);
    return buffer_ok(&encoded);
}

bool token_prepare(struct authd *authd)
{
    struct service *service = authd->service;
    struct span rest = authd->conf->auth_oauth2_keys, path, contents;
    while (span_next_word(&rest, ", \t\r\n", &path)) {
        struct buffer reason;
        buffer_init(&reason, &service->arena, 512);
        if (!read_file(service, "auth_oauth2_keys", path, KEY_FILE_MAX_BYTES, &contents))
            return false;
        if (!jwt_keys_add(&authd->token_keys, contents, &service->arena, &reason)) {
            service_say(service, "auth_oauth2_keys: %.*s: %.*s", SPAN_PRINTF(path),
                        SPAN_PRINTF(buffer_span(&reason)));
            return false;
        }
    }
    return read_client(authd);
}

static void refuse(struct token_verdict *verdict, enum credential_result result, const char *reason)
{
    verdict->result = result;
    verdict->reason = span_from_string(reason);
}

static void judge_claims(struct authd *authd, struct span claims, bool is_introspection,
                         struct arena *arena, struct token_verdict *verdict)
{
    const struct conf_authd *conf = authd->conf;
    const struct claim_rules rules = {
        .issuers = conf->auth_oauth2_issuers,
        .audiences = conf->auth_oauth2_audiences,
        .scopes = conf->auth_oauth2_scopes,
        .username_claims = conf->auth_oauth2_username_claims,
        .leeway_s = conf->auth_oauth2_leeway_ms / 1000,
        .is_introspection = is_introspection,
    };
    const int64_t now_s = (int64_t)(clock_realtime_us() / 1000000);
    const char *reason;
    bool is_expired;
    if (claims_check(claims, &rules, now_s, arena, &verdict->user, &is_expired, &reason))
        verdict->result = CREDENTIAL_MATCH;
    else
        refuse(verdict, is_expired ? CREDENTIAL_EXPIRED : CREDENTIAL_MISMATCH, reason);
}

/* A form's value: all but letters and digits as %XX. */
static void append_form_value(struct buffer *body, struct span value)
{
    for (size_t i = 0; i < value.length; i++) {
        if (ascii_is_alnum(value.bytes[i]))
            buffer_append_byte(body, value.bytes[i]);
        else
            buffer_append_format(body, "%%%02X", value.bytes[i]);
    }
}

static void report(struct authd *authd, struct span reason)
{
    verdict_report_trouble(authd, &authd->token_trouble, authd->conf->auth_oauth2_introspection_url,
                           reason);
}

/* RFC 7662 section 2 */
static void introspect(struct authd *authd, struct span token, struct arena *arena,
                       struct token_verdict *verdict)
{
    struct fetch_answer answer;
    struct buffer body;
    buffer_init(&body, arena, FETCH_POST_MAX_BYTES);
    buffer_append_string(&body, "token=");
    append_form_value(&body, token);
    buffer_append_string(&body, "&token_type_hint=access_token");
    if (!buffer_ok(&body)) {
        refuse(verdict, CREDENTIAL_MISMATCH, "the token is too long");
        return;
    }
    const struct fetch_request request = {
        .kind = FETCH_INTROSPECTION,
        .target = span_empty(),
        .content_type = SPAN("application/x-www-form-urlencoded"),
        .authorization = authd->introspection_authorization,
        .body = buffer_span(&body),
        .timeout_ms = INTROSPECTION_TIMEOUT_MS,
    };
    fetch(&authd->fetch, &request, arena, &answer);
    const bool is_good = answer.result == FETCH_ANSWERED && answer.http_status == 200;
    if (is_good && claims_are_introspection(answer.body)) {
        verdict_report_end(authd, &authd->token_trouble,
                           authd->conf->auth_oauth2_introspection_url);
        judge_claims(authd, answer.body, true, arena, verdict);
        return;
    }
    /* Whatever else it says, it says nothing of the token (section 2.3). */
    refuse(verdict, CREDENTIAL_ERROR, "the token's server cannot be asked");
    if (is_good) {
        report(authd, SPAN("its answer is no introspection response"));
    } else if (answer.result == FETCH_ANSWERED) {
        char text[64];
        (void)snprintf(text, sizeof(text), "HTTP status %u", answer.http_status);
        report(authd, span_from_string(text));
    } else {
        report(authd, answer.reason);
    }
}

void token_check(struct authd *authd, struct span token, struct arena *arena,
                 struct token_verdict *verdict)
{
    struct span claims;
    const char *reason;
    *verdict = (struct token_verdict){.user = span_empty(), .reason = span_empty()};
    if (jwt_is_one(token) && authd->token_keys.count > 0) {
        if (jwt_verify(&authd->token_keys, token, arena, &claims, &reason))
            judge_claims(authd, claims, false, arena, verdict);
        else
            refuse(verdict, CREDENTIAL_MISMATCH, reason);
    } else if (authd->conf->auth_oauth2_introspection_url.length > 0) {
        introspect(authd, token, arena, verdict);
    } else {
        refuse(verdict, CREDENTIAL_MISMATCH, "tokens of this kind cannot be checked here");
    }
}
