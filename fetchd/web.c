/* fetchd/web - see web.h. */
#include "web.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "system/task.h"
#include "tls/guard.h"

enum {
    CONNECT_TIMEOUT_MS = 20000,
    /* Of the addresses that it was given; longer than any request. */
    ADDRESSES_TIMEOUT_S = 300,
    RECEIVE_BUFFER_BYTES = 16384,
    KEPT_CONNECTIONS_MAX = 8,
    GRACE_MS = 1000 /* beyond libcurl's own end of the request */
};

/* A request under way. */
struct transfer {
    const struct web *web;
    const struct web_request *request;
    CURL *easy;
    struct curl_slist *headers;
    struct curl_slist *resolve;
    struct task *task;
    struct buffer body;
    bool is_too_large;
    bool is_done;
    CURLcode result;
    char host[256];
    char error[CURL_ERROR_SIZE];
};

/* ---- libcurl on the loop ---- */

static void take_results(const struct web *web)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(web->multi, &left)) != NULL) {
        struct transfer *transfer = NULL;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) != CURLE_OK)
            continue;
        transfer->is_done = true;
        transfer->result = message->data.result;
        task_wake(transfer->task);
    }
}

static void act(const struct web *web, curl_socket_t descriptor, int events)
{
    int running;
    (void)curl_multi_socket_action(web->multi, descriptor, events, &running); /* its results say */
    take_results(web);
}

static void on_event(evutil_socket_t descriptor, short events, void *context)
{
    act(context, (curl_socket_t)descriptor,
        (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(void *context)
{
    act(context, CURL_SOCKET_TIMEOUT, 0);
}

static int want_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct web *web = context;
    (void)multi;
    loop_timer_set(&web->timer, timeout_ms < 0 ? CLOCK_NEVER : clock_deadline_after(timeout_ms));
    return 0;
}

static int want_events(CURL *easy, curl_socket_t descriptor, int what, void *context, void *kept)
{
    struct web *web = context;
    struct event *event = kept;
    (void)easy;
    if (event)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        const int events = EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
                           (what & CURL_POLL_OUT ? EV_WRITE : 0);
        event = event_new(loop_event_base(web->loop), descriptor, (short)events, on_event, web);
        if (!event || event_add(event, NULL) != 0)
            return -1;
    }
    return curl_multi_assign(web->multi, descriptor, event) == CURLM_OK ? 0 : -1;
}

bool web_init(struct web *web, struct loop *loop, X509_STORE *trusted)
{
    *web = (struct web){.loop = loop, .trusted = trusted};
    loop_timer_init(&web->timer, loop, on_timer, web);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return false;
    web->multi = curl_multi_init();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method()); /* finds its algorithms */
    CURL *easy = curl_easy_init();
    const bool is_ready =
        context && easy && web->multi &&
        curl_multi_setopt(web->multi, CURLMOPT_SOCKETFUNCTION, want_events) == CURLM_OK &&
        curl_multi_setopt(web->multi, CURLMOPT_SOCKETDATA, web) == CURLM_OK &&
        curl_multi_setopt(web->multi, CURLMOPT_TIMERFUNCTION, want_timer) == CURLM_OK &&
        curl_multi_setopt(web->multi, CURLMOPT_TIMERDATA, web) == CURLM_OK &&
        curl_multi_setopt(web->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS_MAX) == CURLM_OK;
    curl_easy_cleanup(easy);
    SSL_CTX_free(context);
    return is_ready;
}

/* ---- one request ---- */

/* The authorities read before the sandbox in place of libcurl's files; and names are compared by
 * libcrypto, which can be told to pass over the subject's common name. */
static CURLcode set_trust(CURL *easy, void *ssl_context, void *data)
{
    const struct transfer *transfer = data;
    X509_VERIFY_PARAM *parameters = SSL_CTX_get0_param(ssl_context);
    (void)easy;
    tls_guard_context(ssl_context);
    SSL_CTX_set1_cert_store(ssl_context, transfer->web->trusted);
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(parameters, transfer->host, 0) == 1 ? CURLE_OK
                                                                           : CURLE_SSL_CERTPROBLEM;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    const size_t length = size * count;
    if (transfer->request->answer_max_bytes == 0)
        return length;
    buffer_append(&transfer->body, bytes, length);
    transfer->is_too_large = !buffer_ok(&transfer->body);
    return transfer->is_too_large ? 0 : length;
}

static bool append_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = line ? curl_slist_append(*list, line) : NULL;
    if (longer)
        *list = longer;
    return longer != NULL;
}

static bool append_header(struct transfer *transfer, struct arena *arena, const char *name,
                          struct span value)
{
    const struct span line = arena_format(arena, "%s: %.*s", name, SPAN_PRINTF(value));
    for (size_t i = 0; i < value.length; i++)
        if (value.bytes[i] < 0x20 || value.bytes[i] == 0x7f)
            return false; /* nobody adds a field of their own */
    return line.bytes && append_line(&transfer->headers, arena_string(arena, line));
}

static bool set_headers(struct transfer *transfer, struct arena *arena)
{
    const struct web_request *request = transfer->request;
    return (span_is_empty(request->content_type) ||
            append_header(transfer, arena, "Content-Type", request->content_type)) &&
           (span_is_empty(request->authorization) ||
            append_header(transfer, arena, "Authorization", request->authorization)) &&
           append_line(&transfer->headers, "Expect:"); /* no 100 (Continue): it costs a second */
}

#define SET(option, value) (curl_easy_setopt(transfer->easy, option, value) == CURLE_OK)

static bool set_way(struct transfer *transfer, struct arena *arena)
{
    const struct uri *uri = &transfer->request->uri;
    const bool keeps_connection = transfer->request->keeps_connection;
    const struct span address =
        arena_format(arena, "+%.*s:%u:%.*s", SPAN_PRINTF(uri->host), (unsigned)uri->port,
                     SPAN_PRINTF(transfer->request->addresses));
    const struct span url =
        arena_format(arena, "https://%.*s:%u%s%.*s", SPAN_PRINTF(uri->host), (unsigned)uri->port,
                     span_starts_with(uri->path, SPAN("/")) ? "" : "/", SPAN_PRINTF(uri->path));
    return address.bytes && url.bytes &&
           append_line(&transfer->resolve, arena_string(arena, address)) &&
           SET(CURLOPT_URL, arena_string(arena, url)) && SET(CURLOPT_PATH_AS_IS, 1L) &&
           SET(CURLOPT_RESOLVE, transfer->resolve) &&
           SET(CURLOPT_DNS_CACHE_TIMEOUT, (long)ADDRESSES_TIMEOUT_S) &&
           SET(CURLOPT_PROTOCOLS_STR, "https") && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
           SET(CURLOPT_PROXY, "") && SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
           SET(CURLOPT_FRESH_CONNECT, keeps_connection ? 0L : 1L) &&
           SET(CURLOPT_FORBID_REUSE, keeps_connection ? 0L : 1L) &&
           SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS) &&
           SET(CURLOPT_TIMEOUT_MS, (long)transfer->request->timeout_ms) &&
           SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER_BYTES);
}

static bool set_tls(struct transfer *transfer)
{
    return SET(CURLOPT_SSL_VERIFYPEER, 1L) && SET(CURLOPT_SSL_VERIFYHOST, 2L) &&
           SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) && SET(CURLOPT_CAINFO, NULL) &&
           SET(CURLOPT_CAPATH, NULL) && SET(CURLOPT_SSL_CTX_FUNCTION, set_trust) &&
           SET(CURLOPT_SSL_CTX_DATA, transfer) && SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
}

static bool set_up(struct transfer *transfer, struct arena *arena)
{
    const struct web_request *request = transfer->request;
    if (request->uri.host.length >= sizeof(transfer->host) || !set_headers(transfer, arena))
        return false;
    memcpy(transfer->host, request->uri.host.bytes, request->uri.host.length);
    return set_way(transfer, arena) && set_tls(transfer) &&
           SET(CURLOPT_HTTPHEADER, transfer->headers) && SET(CURLOPT_USERAGENT, "Posthouse") &&
           SET(CURLOPT_WRITEFUNCTION, take_body) && SET(CURLOPT_WRITEDATA, transfer) &&
           SET(CURLOPT_ERRORBUFFER, transfer->error) && SET(CURLOPT_PRIVATE, transfer) &&
           (!request->is_post ||
            (SET(CURLOPT_POST, 1L) &&
             SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length) &&
             SET(CURLOPT_POSTFIELDS, request->body.bytes)));
}

static enum fetch_result classify(const struct transfer *transfer)
{
    if (transfer->is_too_large)
        return FETCH_TOO_LARGE;
    switch ((int)transfer->result) {
    case CURLE_OK:
        return FETCH_ANSWERED;
    case CURLE_FILESIZE_EXCEEDED:
        return FETCH_TOO_LARGE;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
        return FETCH_UNTRUSTED;
    default:
        return FETCH_UNREACHABLE;
    }
}

static void read_answer(const struct transfer *transfer, struct arena *arena,
                        struct fetch_answer *answer)
{
    long status = 0;
    const char *type = NULL;
    const char *reason = transfer->is_too_large  ? "the answer is too long"
                         : transfer->error[0]    ? transfer->error
                         : transfer->result == 0 ? ""
                                                 : curl_easy_strerror(transfer->result);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type); /* both stay empty */
    answer->result = classify(transfer);
    answer->http_status = status > 0 ? (uint32_t)status : 0;
    answer->content_type = arena_copy(arena, span_from_string(type));
    answer->reason = arena_copy(arena, span_from_string(reason));
    if (answer->result == FETCH_ANSWERED)
        answer->body = buffer_span(&transfer->body);
    if (!answer->content_type.bytes || !answer->reason.bytes)
        answer->content_type = answer->reason = span_empty();
}

static void wait_for(struct transfer *transfer)
{
    const int64_t deadline_ms = clock_deadline_after(transfer->request->timeout_ms + GRACE_MS);
    transfer->task = task_current();
    while (!transfer->is_done && clock_monotonic_ms() < deadline_ms)
        if (task_park(deadline_ms) == TASK_CANCELLED)
            return;
}

void web_perform(struct web *web, const struct web_request *request, struct arena *arena,
                 struct fetch_answer *answer)
{
    struct transfer *transfer = arena_alloc(arena, sizeof(*transfer));
    *answer = (struct fetch_answer){.result = FETCH_UNAVAILABLE,
                                    .content_type = span_empty(),
                                    .body = span_empty(),
                                    .reason = SPAN("out of memory")};
    if (!transfer)
        return;
    transfer->web = web;
    transfer->request = request;
    transfer->result = CURLE_OPERATION_TIMEDOUT;
    transfer->easy = curl_easy_init();
    buffer_init(&transfer->body, arena, request->answer_max_bytes);
    if (transfer->easy && set_up(transfer, arena) &&
        curl_multi_add_handle(web->multi, transfer->easy) == CURLM_OK) {
        wait_for(transfer);
        read_answer(transfer, arena, answer);
        (void)curl_multi_remove_handle(web->multi, transfer->easy); /* it is in there */
    }
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    curl_slist_free_all(transfer->resolve);
}
