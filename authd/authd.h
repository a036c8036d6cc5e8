/* authd/authd - the state of the dispatcher, which its parts share. */
#ifndef AUTHD_AUTHD_H
#define AUTHD_AUTHD_H

#include "address/ip.h"
#include "auth/mechanism.h"
#include "connect/client.h"
#include "crew/crew.h"
#include "database.h"
#include "fetch/client.h"
#include "jwt.h"
#include "limit/client.h"
#include "sasl/mechanism.h"
#include "service/service.h"

enum { SALT_SECRET_BYTES = 32, FAILURES_REMEMBERED = 256 };

/* The last failures, so that one repeated by a program counts once: hashes under a seed of this
 * process. */
struct failure_memory {
    uint8_t seed[16];
    uint64_t hashes[FAILURES_REMEMBERED];
    int64_t when_ms[FAILURES_REMEMBERED];
    size_t next;
};

/* Who cannot be asked, and since when that has been said. */
struct trouble {
    bool is_there;
    int64_t next_report_ms;
};

struct authd {
    struct service *service;
    const struct conf_authd *conf;
    struct database databases[DATABASES_MAX]; /* their types and places; workers open them */
    size_t database_count;
    struct trouble troubles[DATABASES_MAX];
    struct trouble token_trouble;
    struct crew crews[DATABASE_KIND_COUNT];
    int nursery_descriptors[DATABASE_KIND_COUNT]; /* before the sandbox; -1: none is needed */
    int socket;                                   /* auth_socket; -1: none */
    enum sasl_mechanism mechanisms[SASL_MECHANISM_COUNT]; /* in the order of auth_mechanisms */
    size_t mechanism_count;
    /* Salts of users that do not exist come from it: the same for ever, in a file. */
    uint8_t salt_secret[SALT_SECRET_BYTES];
    /* What users that do not exist have to look like: the iterations of the first verifier of a
     * hash that was seen, 0: none was; and whether keys are derived from passwords at all. */
    uint32_t scram_iterations[SASL_HASH_COUNT];
    bool derives_keys;
    /* With smtpd_sasl_type = dovecot another server does it all, and these are its mechanisms. */
    struct forwarder *forwarder;
    struct auth_mechanism forwarded[AUTH_MECHANISMS_MAX];
    size_t forwarded_count;
    struct list exchanges;
    struct list attempts; /* of authd/lockout: whose end is not known yet */
    struct list clients;
    struct jwt_keys token_keys;
    struct span introspection_authorization; /* empty: none */
    struct fetch_client fetch;
    struct limit_client limits;
    struct ip_network_list failure_exceptions;
    struct failure_memory failure_memory;
    struct ipc_channel *limitd;
    struct connect_client connect;
    int relay_descriptor;      /* before the sandbox; -1: there are no passwords for others */
    struct ipc_channel *relay; /* to the keeper of authd/relay; NULL likewise */
    struct list relay_servers; /* of authd/relay */
};

/* The mechanisms are others now: everybody is told. */
void authd_tell_mechanisms(struct authd *authd);
/* Somebody whose clients authenticate has gone: a process that is to leave may, when none is left.
 */
void authd_on_client_gone(struct authd *authd);

#endif
