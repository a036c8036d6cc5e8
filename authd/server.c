/* authd/server - see server.h. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "clients.h"
#include "dovecot_server.h"
#include "forward.h"
#include "login_name.h"
#include "maillog/event.h"
#include "mechanisms.h"
#include "relay.h"
#include "sandbox/paths.h"
#include "system/file.h"
#include "system/random.h"
#include "token.h"
#include "worker.h"

enum { DESCRIPTOR_LIMIT = 2048, QUESTIONS_WAITING_MAX = 2000 /* an exchange has one at a time */ };

/* ---- before the sandbox ---- */

/* Under a name of our own first, and flushed: after a power cut the file is whole or not there. Of
 * two processes that make it at once the first one's stays. */
static bool make_salt_secret(struct service *service, const char *path)
{
    uint8_t secret[SALT_SECRET_BYTES];
    const struct span text = arena_format(&service->arena, "%s.%ld", path, (long)getpid());
    const char *own = text.bytes ? arena_string(&service->arena, text) : NULL;
    if (!own)
        return false;
    random_bytes(secret, sizeof(secret));
    const int descriptor = open(own, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool is_made = descriptor >= 0 &&
                         file_pwrite_all(descriptor, secret, sizeof(secret), 0) == 0 &&
                         fsync(descriptor) == 0 && (link(own, path) == 0 || errno == EEXIST);
    if (!is_made)
        service_say(service, "cannot write %s: %s", path, strerror(errno));
    file_close(descriptor);
    (void)unlink(own);
    explicit_bzero(secret, sizeof(secret));
    return is_made;
}

/* A secret of the instance, made at the first start. */
static bool load_salt_secret(struct authd *authd, struct service *service)
{
    const struct span text =
        arena_format(&service->arena, "%.*s/authd/salt", SPAN_PRINTF(authd->conf->data_directory));
    const char *path = text.bytes ? arena_string(&service->arena, text) : NULL;
    if (!path)
        return false;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 && errno == ENOENT) {
        if (!make_salt_secret(service, path))
            return false;
        descriptor = open(path, O_RDONLY | O_CLOEXEC);
    }
    const bool is_read = descriptor >= 0 && file_pread_all(descriptor, authd->salt_secret,
                                                           sizeof(authd->salt_secret), 0) == 0;
    if (!is_read)
        service_say(service, "cannot read %s: %s; if it is damaged, remove it", path,
                    strerror(errno));
    file_close(descriptor);
    return is_read;
}

static bool start_nursery(struct authd *authd, enum database_kind kind)
{
    struct service *service = authd->service;
    struct sandbox_paths *paths = arena_alloc(&service->arena, sizeof(*paths));
    if (!paths)
        return false;
    if (kind != DATABASE_OF_FILES)
        sandbox_paths_add_services(paths);
    for (size_t i = 0; i < authd->database_count; i++) {
        const struct database *database = &authd->databases[i];
        /* A file may be replaced: it is its directory that may be read. */
        if (database->type->kind == kind && database->argument.length > 0 &&
            database->argument.bytes[0] == '/' &&
            !sandbox_paths_add_directory(paths, database->argument,
                                         SANDBOX_PATH_READ |
                                             (authd->conf->auth_password_upgrade.length > 0
                                                  ? (unsigned)SANDBOX_PATH_WRITE
                                                  : 0U),
                                         &service->arena))
            return false;
    }
    struct worker_setup setup = {.databases = authd->databases,
                                 .database_count = authd->database_count,
                                 .kind = kind,
                                 .paths = paths->all,
                                 .path_count = paths->count,
                                 .uid = service->profile.uid,
                                 .gid = service->profile.gid,
                                 .limit_ms = authd->conf->auth_database_timeout_ms,
                                 .may_write = authd->conf->auth_password_upgrade.length > 0};
    authd->nursery_descriptors[kind] = worker_start_nursery(&setup);
    if (authd->nursery_descriptors[kind] >= 0)
        return true;
    service_say(service, "cannot start workers: %s", strerror(errno));
    return false;
}

static size_t count_of_kind(const struct authd *authd, enum database_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < authd->database_count; i++)
        count += authd->databases[i].type->kind == kind;
    return count;
}

static bool read_settings(struct authd *authd)
{
    struct service *service = authd->service;
    struct span bad_word;
    if (!database_list_parse(authd->conf, &service->arena, authd->databases, &authd->database_count,
                             &bad_word)) {
        service_say(service, "auth_databases: no password database is called %.*s",
                    SPAN_PRINTF(span_first(bad_word, span_find_byte(bad_word, ':'))));
        return false;
    }
    if (!mechanisms_parse(authd, &bad_word)) {
        service_say(service, "auth_mechanisms: no SASL mechanism is called %.*s",
                    SPAN_PRINTF(bad_word));
        return false;
    }
    if (ip_network_list_parse(authd->conf->auth_failure_exceptions, &service->arena,
                              &authd->failure_exceptions, &bad_word) != PARSE_OK) {
        service_say(service, "auth_failure_exceptions: %.*s is no network", SPAN_PRINTF(bad_word));
        return false;
    }
    if (login_name_format_is_valid(authd->conf->auth_username_format))
        return true;
    service_say(service, "auth_username_format: %.*s has a %% that means nothing",
                SPAN_PRINTF(authd->conf->auth_username_format));
    return false;
}

bool authd_prepare(struct service *service)
{
    struct authd *authd = arena_alloc(&service->arena, sizeof(*authd));
    if (!authd) {
        service_say(service, "out of memory");
        return false;
    }
    service->state = authd;
    authd->service = service;
    authd->conf = service->settings;
    for (size_t kind = 0; kind < DATABASE_KIND_COUNT; kind++)
        authd->nursery_descriptors[kind] = -1;
    if (!sandbox_warm_up_crypto()) {
        service_say(service, "libcrypto has no SHA-256: check the OpenSSL installation");
        return false;
    }
    if (!read_settings(authd) || !load_salt_secret(authd, service) || !token_prepare(authd) ||
        !dovecot_server_listen(service, authd->conf, &authd->socket))
        return false;
    for (size_t kind = 0; kind < DATABASE_KIND_COUNT; kind++)
        if (count_of_kind(authd, (enum database_kind)kind) > 0 &&
            !start_nursery(authd, (enum database_kind)kind))
            return false;
    if (!relay_start(authd))
        return false;
    service->profile.descriptor_limit = DESCRIPTOR_LIMIT;
    return true;
}

/* ---- in the sandbox ---- */

static void report(void *context, const char *text)
{
    struct authd *authd = context;
    maillog_text(&authd->service->log, LOG_LEVEL_WARNING, span_empty(), "%s", text);
}

/* Issuers make tokens for many services, each of which could otherwise log in here with what its
 * users gave it (RFC 8725 section 3.9). */
static void warn_of_audiences(struct authd *authd)
{
    const struct conf_authd *conf = authd->conf;
    if (mechanisms_take_tokens(authd) && conf->auth_oauth2_audiences.length == 0 &&
        (authd->token_keys.count > 0 || conf->auth_oauth2_introspection_url.length > 0))
        report(authd, "auth_oauth2_audiences is empty: tokens that were made for any other service "
                      "log in here, too; set it to what tokens for this server have as \"aud\"");
}

/* A restart brings another nursery; this process cannot make one any more. */
static void on_nursery_gone(void *context)
{
    struct authd *authd = context;
    report(authd, "the process that makes workers is gone; starting over");
    service_leave(authd->service, EXIT_FAILURE);
}

bool authd_begin(struct service *service)
{
    struct authd *authd = service->state;
    list_init(&authd->exchanges);
    list_init(&authd->attempts);
    list_init(&authd->clients);
    list_init(&authd->relay_servers);
    limit_client_init(&authd->limits);
    fetch_client_init(&authd->fetch, service->loop);
    random_bytes(authd->failure_memory.seed, sizeof(authd->failure_memory.seed));
    warn_of_audiences(authd);
    for (size_t kind = 0; kind < DATABASE_KIND_COUNT; kind++) {
        const struct crew_settings crew = {.nursery = authd->nursery_descriptors[kind],
                                           .worker_count = authd->conf->auth_worker_count,
                                           .subject_count = authd->database_count,
                                           .leaves_one =
                                               count_of_kind(authd, (enum database_kind)kind) > 1,
                                           .is_secret = true,
                                           .waiting_max = QUESTIONS_WAITING_MAX,
                                           .timeout_ms = authd->conf->auth_database_timeout_ms,
                                           .report = report,
                                           .on_nursery_gone = on_nursery_gone,
                                           .context = authd};
        if (crew.nursery < 0)
            continue;
        if (!crew_start(&authd->crews[kind], service->loop, &crew)) {
            service_say(service, "memory is out");
            return false;
        }
    }
    if ((authd->socket < 0 || dovecot_server_start(authd, authd->socket)) &&
        (!span_equals(authd->conf->smtpd_sasl_type, SPAN("dovecot")) || forward_start(authd)) &&
        relay_begin(authd))
        return true;
    service_say(service, "memory is out");
    return false;
}

static void on_limitd_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct authd *authd = context;
    (void)channel;
    (void)reason; /* master brings another */
    limit_client_set_channel(&authd->limits, NULL);
    ipc_channel_destroy(&authd->limitd);
}

/* It says nothing unasked. */
static const struct ipc_permission no_permissions[] = {{0, 0}};
static const struct ipc_channel_handlers limitd_handlers = {NULL, on_limitd_closed, no_permissions};

void authd_on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct authd *authd = service->state;
    if (peer->role == IPC_ROLE_SMTP || peer->role == IPC_ROLE_LMTP) {
        relay_add(authd, peer, descriptor);
    } else if (peer->is_server) {
        clients_add(authd, peer, descriptor);
    } else if (peer->role == IPC_ROLE_LIMITD) {
        limit_client_set_channel(&authd->limits, NULL);
        ipc_channel_destroy(&authd->limitd);
        authd->limitd =
            ipc_channel_create(service->loop, descriptor, IPC_ROLE_LIMITD, &limitd_handlers, authd);
        limit_client_set_channel(&authd->limits, authd->limitd);
    } else if (peer->role == IPC_ROLE_FETCHD) {
        fetch_client_attach(&authd->fetch, descriptor);
    } else if (peer->role == IPC_ROLE_CONNECTD) {
        connect_client_attach(&authd->connect, service->loop, descriptor);
    } else {
        file_close(descriptor);
    }
}

/* Those of before a reload finish what their clients began, with this authd. */
void authd_on_client_gone(struct authd *authd)
{
    if (authd->service->is_draining && list_is_empty(&authd->clients) &&
        list_is_empty(&authd->exchanges))
        service_leave(authd->service, EXIT_SUCCESS);
}

void authd_drain(struct service *service)
{
    authd_on_client_gone(service->state);
}
