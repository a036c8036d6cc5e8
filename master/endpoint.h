/* master/endpoint - where a service of master.cf listens: "smtp", "127.0.0.1:2525", "[::1]:25".
 * Interface: endpoint_parse() is pure; endpoint_resolve() asks the system for names.
 * Callers: master/plan, the tests. */
#ifndef MASTER_ENDPOINT_H
#define MASTER_ENDPOINT_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "conf/notice.h"

enum { ENDPOINT_TEXT_BYTES = 64, ENDPOINTS_PER_SERVICE = 64 };

struct endpoint {
    char text[ENDPOINT_TEXT_BYTES]; /* "127.0.0.1:25", "[::1]:25" */
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } address;
    socklen_t length; /* 0: not on the network, but a socket of that name, "public/lmtp" */
    /* It need not work: one of the addresses that "all" stands for. */
    bool is_optional;
};

struct endpoint_rules {
    struct span interfaces; /* inet_interfaces, for services without a host */
    bool uses_ipv4;
    bool uses_ipv6;
};

/* Splits the name of a service: host is empty when there is only a port. False for nonsense. */
MUST_USE bool endpoint_parse(struct span name, struct span *host, struct span *port);
/* A port number, or one of the names that mail uses: 0 when it is neither. */
MUST_USE uint16_t endpoint_port(struct span port);
/* The socket in public/ for a service of type unix; false where the name is not fit for a file
 * there. */
MUST_USE bool endpoint_on_unix(struct span name, struct endpoint *endpoint);
/* Fills up to capacity endpoints: the count, or 0 and *error. */
MUST_USE size_t endpoint_resolve(struct span name, const struct endpoint_rules *rules,
                                 struct endpoint *endpoints, size_t capacity,
                                 struct conf_error *error);

#endif
