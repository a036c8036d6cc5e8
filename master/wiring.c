/* master/wiring - see wiring.h. This table is the architecture: whoever is not named together with
 * another on a line below has no way to reach it. */
#include "wiring.h"

/* clang-format off */
const struct wiring_program wiring_programs[] = {
    /* 0 */ {"logd", IPC_ROLE_LOGD, WIRING_ALWAYS | WIRING_ONE_SERVICE, WIRING_STAGE_LOG, NULL, NULL},
    /* 1 */ {"qmgr", IPC_ROLE_QMGR,
             WIRING_ALWAYS | WIRING_ONE_SERVICE | WIRING_EXCLUSIVE | WIRING_HAS_DATA,
             WIRING_STAGE_QUEUE, "qmgr", "showq"},
    /* 2 */ {"addrd", IPC_ROLE_ADDRD, WIRING_ALWAYS | WIRING_ONE_SERVICE, WIRING_STAGE_HELP, NULL, NULL},
    /* 3 */ {"dnsd", IPC_ROLE_DNSD, WIRING_ALWAYS | WIRING_ONE_SERVICE, WIRING_STAGE_HELP, NULL, NULL},
    /* 4 */ {"smtpd", IPC_ROLE_SMTPD, WIRING_PER_CORE | WIRING_LISTENS, WIRING_STAGE_WORK, NULL, NULL},
    /* 5 */ {"smtp", IPC_ROLE_SMTP, WIRING_PER_CORE, WIRING_STAGE_WORK, NULL, NULL},
    /* 6 */ {"local", IPC_ROLE_LOCAL, 0, WIRING_STAGE_WORK, NULL, NULL},
    /* 7 */ {"virtual", IPC_ROLE_VIRTUAL, WIRING_STATIC_OWNER, WIRING_STAGE_WORK, NULL, NULL},
    /* 8 */ {"bounce", IPC_ROLE_BOUNCE, WIRING_ALWAYS | WIRING_ONE_SERVICE, WIRING_STAGE_WORK, NULL, NULL},
    /* 9 */ {"error", IPC_ROLE_ERROR, 0, WIRING_STAGE_WORK, NULL, NULL},
    /* 10 */ {"discard", IPC_ROLE_DISCARD, 0, WIRING_STAGE_WORK, NULL, NULL},
    /* 11 */ {"limitd", IPC_ROLE_LIMITD,
             WIRING_ALWAYS | WIRING_ONE_SERVICE | WIRING_EXCLUSIVE | WIRING_HAS_DATA,
             WIRING_STAGE_HELP, NULL, NULL},
    /* 12 */ {"pipe", IPC_ROLE_PIPE, WIRING_RUNS_COMMAND, WIRING_STAGE_WORK, NULL, NULL},
    /* 13 */ {"lmtp", IPC_ROLE_LMTP, WIRING_PER_CORE, WIRING_STAGE_WORK, NULL, NULL},
    /* 14 */ {"connectd", IPC_ROLE_CONNECTD, WIRING_FOR_CLIENTS | WIRING_ONE_SERVICE,
              WIRING_STAGE_HELP, NULL, NULL},
    /* 15 */ {"verify", IPC_ROLE_VERIFY, WIRING_ONE_SERVICE | WIRING_EXCLUSIVE | WIRING_HAS_DATA,
              WIRING_STAGE_QUEUE, NULL, NULL},
    /* 16 */ {"pickup", IPC_ROLE_PICKUP, WIRING_ALWAYS | WIRING_ONE_SERVICE | WIRING_EXCLUSIVE,
             WIRING_STAGE_WORK, NULL, NULL},
    /* 17 */ {"stsd", IPC_ROLE_STSD,
              WIRING_FOR_CLIENTS | WIRING_ONE_SERVICE | WIRING_EXCLUSIVE | WIRING_HAS_DATA,
              WIRING_STAGE_QUEUE, NULL, NULL},
    /* 18 */ {"authd", IPC_ROLE_AUTHD, WIRING_FOR_CLIENTS | WIRING_ONE_SERVICE | WIRING_HAS_DATA,
              WIRING_STAGE_HELP, NULL, NULL},
    /* 19 */ {"reportd", IPC_ROLE_REPORTD,
              WIRING_FOR_CLIENTS | WIRING_ONE_SERVICE | WIRING_EXCLUSIVE | WIRING_HAS_DATA,
              WIRING_STAGE_QUEUE, NULL, NULL},
    /* 20 */ {"fetchd", IPC_ROLE_FETCHD, WIRING_FOR_CLIENTS | WIRING_ONE_SERVICE, WIRING_STAGE_HELP,
              NULL, NULL},
    /* 21 */ {"keyd", IPC_ROLE_KEYD, WIRING_FOR_CLIENTS | WIRING_ONE_SERVICE | WIRING_AS_MANY_AS_SAID,
              WIRING_STAGE_HELP, NULL, NULL},
    /* 22 */ {"submitd", IPC_ROLE_SUBMITD, WIRING_PER_CORE | WIRING_LISTENS, WIRING_STAGE_WORK, NULL, NULL},
};

const struct wiring_line wiring_lines[] = {
    /* Everybody logs. */
    {IPC_ROLE_MASTER,  IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_QMGR,    IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_ADDRD,   IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_DNSD,    IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_SMTPD,   IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_SUBMITD, IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_SMTP,    IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_LOCAL,   IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_VIRTUAL, IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_BOUNCE,  IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_ERROR,   IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_DISCARD, IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_LIMITD,  IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_PIPE,    IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_LMTP,    IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_CONNECTD, IPC_ROLE_LOGD,   WIRING_SAME_GENERATION},
    {IPC_ROLE_VERIFY,  IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_PICKUP,  IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_STSD,    IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_REPORTD, IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_FETCHD,  IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_AUTHD,   IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_KEYD,    IPC_ROLE_LOGD,    WIRING_SAME_GENERATION},
    /* Whoever makes mail: may it be, and into the queue with it. */
    {IPC_ROLE_SMTPD,   IPC_ROLE_ADDRD,   WIRING_SAME_GENERATION},
    {IPC_ROLE_SUBMITD, IPC_ROLE_ADDRD,   WIRING_SAME_GENERATION},
    {IPC_ROLE_BOUNCE,  IPC_ROLE_ADDRD,   WIRING_SAME_GENERATION},
    {IPC_ROLE_PICKUP,  IPC_ROLE_ADDRD,   WIRING_SAME_GENERATION},
    {IPC_ROLE_SMTPD,   IPC_ROLE_DNSD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_SUBMITD, IPC_ROLE_DNSD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_SMTPD,   IPC_ROLE_VERIFY,  WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_SUBMITD, IPC_ROLE_VERIFY,  WIRING_SERVER_MAY_BE_NEWER},
    /* Who is that client? Passwords are known to authd alone. */
    {IPC_ROLE_SMTPD,   IPC_ROLE_AUTHD,   WIRING_SAME_GENERATION},
    {IPC_ROLE_SUBMITD, IPC_ROLE_AUTHD,   WIRING_SAME_GENERATION},
    /* Certificates, and signatures of handshakes: nobody else has a private key. */
    {IPC_ROLE_SMTPD,   IPC_ROLE_KEYD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_SUBMITD, IPC_ROLE_KEYD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_SMTP,    IPC_ROLE_KEYD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_LMTP,    IPC_ROLE_KEYD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_KEYD,    IPC_ROLE_KEYD,    WIRING_CLIENT_MAY_BE_NEWER},
    /* And who are we, to another server? */
    {IPC_ROLE_SMTP,    IPC_ROLE_AUTHD,   WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_LMTP,    IPC_ROLE_AUTHD,   WIRING_SERVER_MAY_BE_NEWER},
    /* A session that the postmaster is to hear of. */
    {IPC_ROLE_SMTPD,   IPC_ROLE_BOUNCE,  WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_SUBMITD, IPC_ROLE_BOUNCE,  WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_SMTP,    IPC_ROLE_BOUNCE,  WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_LMTP,    IPC_ROLE_BOUNCE,  WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_SMTPD,   IPC_ROLE_QMGR,    WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_SUBMITD, IPC_ROLE_QMGR,    WIRING_SERVER_MAY_BE_NEWER},
    /* One counts for all, those of before a reload included. */
    {IPC_ROLE_SMTPD,   IPC_ROLE_LIMITD,  WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_SUBMITD, IPC_ROLE_LIMITD,  WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_AUTHD,   IPC_ROLE_LIMITD,  WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_BOUNCE,  IPC_ROLE_QMGR,    WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_VERIFY,  IPC_ROLE_QMGR,    WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_PICKUP,  IPC_ROLE_QMGR,    WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_LOCAL,   IPC_ROLE_ADDRD,   WIRING_SAME_GENERATION},
    {IPC_ROLE_LOCAL,   IPC_ROLE_QMGR,    WIRING_SERVER_MAY_BE_NEWER},
    /* The queue: where to, and out by whom. Agents of before a reload bring their results. */
    {IPC_ROLE_QMGR,    IPC_ROLE_ADDRD,   WIRING_SAME_GENERATION},
    {IPC_ROLE_QMGR,    IPC_ROLE_SMTP,    WIRING_CLIENT_MAY_BE_NEWER},
    {IPC_ROLE_QMGR,    IPC_ROLE_LOCAL,   WIRING_CLIENT_MAY_BE_NEWER},
    {IPC_ROLE_QMGR,    IPC_ROLE_VIRTUAL, WIRING_CLIENT_MAY_BE_NEWER},
    {IPC_ROLE_QMGR,    IPC_ROLE_PIPE,    WIRING_CLIENT_MAY_BE_NEWER},
    {IPC_ROLE_QMGR,    IPC_ROLE_ERROR,   WIRING_CLIENT_MAY_BE_NEWER},
    {IPC_ROLE_QMGR,    IPC_ROLE_DISCARD, WIRING_CLIENT_MAY_BE_NEWER},
    {IPC_ROLE_QMGR,    IPC_ROLE_LMTP,    WIRING_CLIENT_MAY_BE_NEWER},
    {IPC_ROLE_QMGR,    IPC_ROLE_BOUNCE,  WIRING_SAME_GENERATION},
    /* Which host is that? How is this address to be written to strangers? */
    {IPC_ROLE_SMTP,    IPC_ROLE_ADDRD,   WIRING_SAME_GENERATION},
    {IPC_ROLE_SMTP,    IPC_ROLE_DNSD,    WIRING_SAME_GENERATION},
    {IPC_ROLE_LMTP,    IPC_ROLE_ADDRD,   WIRING_SAME_GENERATION},
    {IPC_ROLE_LMTP,    IPC_ROLE_DNSD,    WIRING_SAME_GENERATION},
    /* Must that domain's servers prove who they are? A policy, please. */
    {IPC_ROLE_SMTP,    IPC_ROLE_STSD,    WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_STSD,    IPC_ROLE_DNSD,    WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_STSD,    IPC_ROLE_FETCHD,  WIRING_SERVER_MAY_BE_NEWER},
    /* What became of TLS with them; and their report, by mail or by HTTPS. */
    {IPC_ROLE_SMTP,    IPC_ROLE_REPORTD, WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_REPORTD, IPC_ROLE_DNSD,    WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_REPORTD, IPC_ROLE_FETCHD,  WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_REPORTD, IPC_ROLE_ADDRD,   WIRING_SERVER_MAY_BE_NEWER},
    {IPC_ROLE_REPORTD, IPC_ROLE_QMGR,    WIRING_SERVER_MAY_BE_NEWER},
    /* Over HTTPS to which address? */
    {IPC_ROLE_FETCHD,  IPC_ROLE_DNSD,    WIRING_SAME_GENERATION},
    /* A socket of that local server, please. */
    {IPC_ROLE_LMTP,    IPC_ROLE_CONNECTD, WIRING_SAME_GENERATION},
    {IPC_ROLE_AUTHD,   IPC_ROLE_CONNECTD, WIRING_SAME_GENERATION},
    /* Is this token good? */
    {IPC_ROLE_AUTHD,   IPC_ROLE_FETCHD,  WIRING_SAME_GENERATION},
};
/* clang-format on */

const size_t wiring_program_count = ARRAY_LENGTH(wiring_programs);
const size_t wiring_line_count = ARRAY_LENGTH(wiring_lines);

const struct wiring_program *wiring_find(struct span program)
{
    for (size_t i = 0; i < wiring_program_count; i++)
        if (span_equals(program, span_from_string(wiring_programs[i].program)))
            return &wiring_programs[i];
    return NULL;
}

size_t wiring_number(const struct wiring_program *program)
{
    return (size_t)(program - wiring_programs);
}

const struct wiring_line *wiring_between(enum ipc_role client, enum ipc_role server)
{
    for (size_t i = 0; i < wiring_line_count; i++)
        if (wiring_lines[i].client == client && wiring_lines[i].server == server)
            return &wiring_lines[i];
    return NULL;
}

bool wiring_joins(enum ipc_role client, uint32_t client_generation, enum ipc_role server,
                  uint32_t server_generation)
{
    const struct wiring_line *line = wiring_between(client, server);
    if (!line)
        return false;
    switch (line->reach) {
    case WIRING_SERVER_MAY_BE_NEWER:
        return server_generation >= client_generation;
    case WIRING_CLIENT_MAY_BE_NEWER:
        return client_generation >= server_generation;
    case WIRING_SAME_GENERATION:
        break;
    }
    return client_generation == server_generation;
}
