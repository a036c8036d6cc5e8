/* fetchd/serve - the channels: who may have what fetched, names by dnsd, and the way back.
 * Callers: fetchd/main. */
#ifndef FETCHD_SERVE_H
#define FETCHD_SERVE_H

#include "address/ip.h"
#include "conf/fetchd.h"
#include "dns/client.h"
#include "service/service.h"
#include "web.h"

/* Requests of one kind. Each kind has its own: strangers' web servers, which may be as slow as they
 * like, keep nobody from logging in with a token. */
struct fetch_lane {
    struct list waiting; /* that nobody works on yet */
    size_t running_count;
};

struct fetch_server {
    struct service *service;
    const struct conf_fetchd *settings;
    struct web web;
    struct dns_client dns;
    unsigned wanted_families; /* DNS_WANT_... */
    struct ip_network_list private_networks;
    struct uri introspection; /* when has_introspection */
    bool has_introspection;
    bool has_authorities; /* else there is nobody who could be trusted, and nobody is asked */
    struct fetch_lane lanes[FETCH_KIND_COUNT];
};

/* The web is ready; families, networks and introspection are set. */
void fetch_server_begin(struct fetch_server *server, struct service *service);
/* Both take the descriptor over: who asks, and who knows the addresses. */
void fetch_server_add_client(struct fetch_server *server, enum ipc_role role, int descriptor);
void fetch_server_set_dnsd(struct fetch_server *server, int descriptor);

#endif
