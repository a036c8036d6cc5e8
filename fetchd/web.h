/* fetchd/web - one HTTPS request, by libcurl on the event loop.
 * Always: TLS 1.2 or later, the server's certificate checked against its name (DNS-ID only, RFC
 * 8461 section 3.3), HTTP/1.1, no redirects, no proxy, no cookies, no cache, bounded size and time;
 * a connection each but for the one server that is asked all the time. Addresses are given; libcurl
 * asks no resolver. Callers: fetchd/serve. */
#ifndef FETCHD_WEB_H
#define FETCHD_WEB_H

#include "base/arena.h"
#include "base/buffer.h"
#include "fetch/client.h"
#include "system/loop.h"
#include "trust.h"
#include "uri.h"

struct web {
    struct loop *loop;
    void *multi;         /* CURLM */
    X509_STORE *trusted; /* NULL: nobody */
    struct loop_timer timer;
};

/* Before the sandbox: opens what libcurl needs and warms it up. Takes the store over. */
MUST_USE bool web_init(struct web *web, struct loop *loop, X509_STORE *trusted);

struct web_request {
    struct uri uri;
    struct span addresses; /* "192.0.2.1,[2001:db8::1]" */
    bool is_post;
    struct span content_type;
    struct span authorization;
    struct span body;
    bool keeps_connection;   /* this server will be asked again */
    size_t answer_max_bytes; /* 0: the body is passed over */
    int64_t timeout_ms;
};

/* From a task; texts of the answer are the arena's. */
void web_perform(struct web *web, const struct web_request *request, struct arena *arena,
                 struct fetch_answer *answer);

#endif
