/* authd/authd - the state of the dispatcher, which its parts share. */
#ifndef AUTHD_AUTHD_H
#define AUTHD_AUTHD_H

#include "auth/mechanism.h"
#include "crew.h"
#include "database.h"
#include "limit/client.h"
#include "sasl/mechanism.h"
#include "service/service.h"

enum { SALT_SECRET_BYTES = 32 };

struct authd {
    struct service *service;
    const struct conf_authd *conf;
    struct database databases[DATABASES_MAX]; /* their types and places; workers open them */
    size_t database_count;
    struct crew crews[DATABASE_KIND_COUNT];
    int nursery_descriptors[DATABASE_KIND_COUNT]; /* before the sandbox; -1: none is needed */
    enum sasl_mechanism mechanisms[SASL_MECHANISM_COUNT]; /* in the order of auth_mechanisms */
    size_t mechanism_count;
    /* Salts of users that do not exist come from it: the same for ever, in a file. */
    uint8_t salt_secret[SALT_SECRET_BYTES];
    struct list exchanges;
    struct list clients;
    struct limit_client limits;
    struct ipc_channel *limitd;
};

/* Somebody whose clients authenticate has gone: a process that is to leave may, when none is left.
 */
void authd_on_client_gone(struct authd *authd);

#endif
