/* authd/db_pam - pam:service, by the system's modules. Modules need root and do as they like, so
 * the workers that ask them have neither a filter nor another user; they see a name, a password and
 * an address, and nothing of the network. */
#include "config.h"

#include "db_types.h"

#ifdef HAVE_PAM
#include <security/pam_appl.h>
#include <stdlib.h>

#include "module.h"

static struct {
    __typeof__(&pam_start) start;
    __typeof__(&pam_end) end;
    __typeof__(&pam_authenticate) authenticate;
    __typeof__(&pam_acct_mgmt) acct_mgmt;
    __typeof__(&pam_set_item) set_item;
    __typeof__(&pam_strerror) strerror;
} pam;

static bool load(struct database *database, struct buffer *reason)
{
    const struct module_symbol symbols[] = {
        {"pam_start", (void *)&pam.start},
        {"pam_end", (void *)&pam.end},
        {"pam_authenticate", (void *)&pam.authenticate},
        {"pam_acct_mgmt", (void *)&pam.acct_mgmt},
        {"pam_set_item", (void *)&pam.set_item},
        {"pam_strerror", (void *)&pam.strerror},
    };
    (void)database;
    return module_load("libpam.so.0", symbols, ARRAY_LENGTH(symbols), reason);
}

struct secrets {
    char *user;
    char *password;
};

/* Modules free what they get. */
static int answer(int count, const struct pam_message **messages, struct pam_response **responses,
                  void *context)
{
    const struct secrets *secrets = context;
    if (count <= 0 || count > PAM_MAX_NUM_MSG)
        return PAM_CONV_ERR;
    struct pam_response *list = calloc((size_t)count, sizeof(*list));
    if (!list)
        return PAM_BUF_ERR;
    for (int i = 0; i < count; i++) {
        const int style = messages[i]->msg_style;
        const char *text = style == PAM_PROMPT_ECHO_OFF  ? secrets->password
                           : style == PAM_PROMPT_ECHO_ON ? secrets->user
                                                         : NULL;
        if (text && !(list[i].resp = strdup(text))) {
            for (int j = 0; j < i; j++)
                free(list[j].resp);
            free(list);
            return PAM_BUF_ERR;
        }
    }
    *responses = list;
    return PAM_SUCCESS;
}

static enum credential_result judge(pam_handle_t *handle, int status, struct buffer *reason)
{
    switch (status) {
    case PAM_SUCCESS:
        return CREDENTIAL_MATCH;
    case PAM_USER_UNKNOWN:
        return CREDENTIAL_UNKNOWN;
    case PAM_AUTH_ERR:
    case PAM_MAXTRIES:
        return CREDENTIAL_MISMATCH;
    case PAM_PERM_DENIED:
        return CREDENTIAL_DISABLED;
    case PAM_ACCT_EXPIRED:
    case PAM_CRED_EXPIRED:
    case PAM_AUTHTOK_EXPIRED:
    case PAM_NEW_AUTHTOK_REQD:
        return CREDENTIAL_EXPIRED;
    default:
        buffer_append_format(reason, "PAM says: %s", pam.strerror(handle, status));
        return CREDENTIAL_ERROR;
    }
}

static enum credential_result check(struct database *database,
                                    const struct credential_question *question, struct arena *arena,
                                    struct account *account, struct buffer *reason)
{
    struct secrets secrets = {arena_string(arena, question->user),
                              arena_string(arena, question->password)};
    const struct span service = database->argument.length ? database->argument : SPAN("posthouse");
    const char *service_name = arena_string(arena, service);
    const char *address = arena_string(arena, question->client_address);
    const struct pam_conv conversation = {answer, &secrets};
    pam_handle_t *handle = NULL;
    (void)account;
    if (!secrets.user || !secrets.password || !service_name || !address) {
        buffer_append_string(reason, "memory is out");
        return CREDENTIAL_ERROR;
    }
    /* What stands behind a NUL would not count. */
    if (span_find_byte(question->password, '\0') < question->password.length ||
        span_find_byte(question->user, '\0') < question->user.length)
        return CREDENTIAL_MISMATCH;
    int status = pam.start(service_name, secrets.user, &conversation, &handle);
    if (status != PAM_SUCCESS) {
        buffer_append_format(reason, "PAM cannot start the service %s", service_name);
        return CREDENTIAL_ERROR;
    }
    (void)pam.set_item(handle, PAM_RHOST, address); /* for modules that care */
    (void)pam.set_item(handle, PAM_TTY, "posthouse");
    status = pam.authenticate(handle, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    if (status == PAM_SUCCESS)
        status = pam.acct_mgmt(handle, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    const enum credential_result result = judge(handle, status, reason);
    (void)pam.end(handle, status);
    return result;
}

const struct database_type database_pam = {
    .name = "pam", .kind = DATABASE_OF_PAM, .load = load, .check = check};
#endif
