/* tools/sendmail_session - -bs: SMTP on standard input and output, each message left by postdrop.
 * The session is the server's own, in a process without rights; in the place of qmgr it meets a
 * stand-in that keeps contents in memory files and hands them to postdrop at the commit. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/smtpd.h"
#include "sendmail.h"
#include "smtp/line_ends.h"
#include "smtpserver/settings.h"
#include "system/file.h"
#include "system/random.h"
#include "table/clients.h"
#include "table/words.h"

enum {
    PUMP_BYTES = 16384,
    GRANTS_MAX = 8,
    PIECE_BYTES = DROP_TEXT_MAX_BYTES,
    LOG_BYTES = 4096,
    ENVELOPE_ARENA_BYTES = 64 << 20
};

struct grant {
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    int content;              /* -1: free */
    struct buffer recipients; /* that came ahead of the commit */
};

struct stand_in {
    struct sendmail *sendmail;
    struct loop *loop;
    struct ipc_channel *channel;
    struct grant grants[GRANTS_MAX];
    struct intake intake;
    struct smtpsession_service sessions;
    struct maillog log; /* there is nobody to read it */
};

/* ---- what qmgr would do ---- */

static struct grant *find_grant(struct stand_in *stand_in, struct span queue_id)
{
    for (size_t i = 0; i < GRANTS_MAX; i++)
        if (stand_in->grants[i].content >= 0 &&
            span_equals(span_from_string(stand_in->grants[i].queue_id), queue_id))
            return &stand_in->grants[i];
    return NULL;
}

static void forget(struct grant *grant)
{
    if (!grant)
        return;
    file_close(grant->content);
    grant->content = -1;
    buffer_release(&grant->recipients);
}

static void give_grants(struct stand_in *stand_in, uint32_t wanted)
{
    uint32_t held = 0;
    for (size_t i = 0; i < GRANTS_MAX; i++)
        held += stand_in->grants[i].content >= 0;
    for (size_t i = 0; i < GRANTS_MAX && held < wanted; i++) {
        struct grant *grant = &stand_in->grants[i];
        uint8_t random[QUEUE_ID_RANDOM_BYTES];
        if (grant->content >= 0)
            continue;
        grant->content = memfd_create("message", MFD_CLOEXEC);
        if (grant->content < 0)
            return;
        random_bytes(random, sizeof(random));
        (void)queue_id_make(clock_realtime_us(), random, grant->queue_id);
        buffer_init(&grant->recipients, NULL, QUEUE_ENVELOPE_MAX_BYTES);
        const struct ipc_queue_grant message = {.queue_id = span_from_string(grant->queue_id),
                                                .content = dup(grant->content)};
        (void)ipc_channel_send(stand_in->channel, IPC_QUEUE_GRANT, &message);
        held++;
    }
}

static bool drop_content(const struct grant *grant, struct span encoded, struct sendmail_drop *drop)
{
    struct queue_extent extents[QUEUE_EXTENT_MAX];
    size_t count;
    uint8_t *piece = malloc(PIECE_BYTES);
    bool is_read = piece && queue_extents_decode(encoded, extents, &count) == PARSE_OK;
    for (size_t i = 0; is_read && i < count; i++)
        for (uint64_t done = 0; is_read && done < extents[i].length;) {
            const uint64_t left = extents[i].length - done;
            const size_t length = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
            is_read = file_pread_all(grant->content, piece, length, extents[i].offset + done) == 0;
            if (is_read)
                sendmail_drop_text(drop, span_of(piece, length));
            done += length;
        }
    free(piece);
    return is_read;
}

/* On OUTCOME_OK the reason is the id that postdrop gave it, in *drop. */
static struct outcome drop_message(struct stand_in *stand_in, const struct grant *grant,
                                   const struct ipc_queue_commit *commit,
                                   struct sendmail_drop *drop)
{
    struct span rest = commit->envelope, batch = buffer_span(&grant->recipients);
    struct queue_envelope envelope;
    struct queue_recipient recipient;
    if (queue_envelope_next_header(&rest, &envelope) != PARSE_OK)
        return outcome_temporary(451, 3, 0, "Error: queue file write error");
    const struct drop_header header = {
        .time_us = envelope.arrival_us,
        .sender = envelope.reverse_path,
        .flags =
            (envelope.flags & QUEUE_FLAG_SMTPUTF8 ? (uint32_t)DROP_FLAG_SMTPUTF8 : 0) |
            (envelope.flags & QUEUE_FLAG_BODY_8BITMIME ? (uint32_t)DROP_FLAG_BODY_8BITMIME : 0),
        .envid = envelope.envid,
        .ret = envelope.ret,
        .verp_delimiters = envelope.verp_delimiters,
    };
    sendmail_drop_begin(stand_in->sendmail, &header, drop);
    while (queue_envelope_next_recipient(&batch, &recipient) == PARSE_OK)
        sendmail_drop_recipient(drop, &recipient);
    while (queue_envelope_next_recipient(&rest, &recipient) == PARSE_OK)
        sendmail_drop_recipient(drop, &recipient);
    const bool is_whole = batch.length == 0 && rest.length == 0 && buffer_ok(&grant->recipients) &&
                          drop_content(grant, commit->extents, drop);
    if (sendmail_drop_finish(drop, is_whole) != EX_OK)
        return outcome_temporary(451, 3, 0, "Error: queue file write error");
    return outcome_make(OUTCOME_OK, 250, 0, 0, span_from_string(drop->queue_id));
}

static void on_commit(struct stand_in *stand_in, uint32_t id, const struct ipc_queue_commit *commit)
{
    struct grant *grant = find_grant(stand_in, commit->queue_id);
    struct sendmail_drop drop;
    const struct ipc_queue_commit_reply reply = {
        .outcome = grant ? drop_message(stand_in, grant, commit, &drop)
                         : outcome_temporary(451, 3, 0, "Error: queue file write error")};
    forget(grant);
    (void)ipc_channel_reply(stand_in->channel, id, IPC_QUEUE_COMMIT_REPLY, &reply);
    give_grants(stand_in, 1);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct stand_in *stand_in = context;
    (void)channel;
    if (delivery->type == IPC_QUEUE_WANT) {
        give_grants(stand_in, ((const struct ipc_queue_want *)delivery->message)->count);
    } else if (delivery->type == IPC_QUEUE_RECIPIENTS) {
        const struct ipc_queue_recipients *batch = delivery->message;
        struct grant *grant = find_grant(stand_in, batch->queue_id);
        if (grant)
            buffer_append_span(&grant->recipients, batch->recipients);
    } else if (delivery->type == IPC_QUEUE_ABANDON) {
        forget(
            find_grant(stand_in, ((const struct ipc_queue_abandon *)delivery->message)->queue_id));
        give_grants(stand_in, 1);
    } else if (delivery->type == IPC_QUEUE_COMMIT) {
        on_commit(stand_in, delivery->id, delivery->message);
    }
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct stand_in *stand_in = context;
    (void)channel;
    (void)reason;
    loop_stop(stand_in->loop);
}

static bool attach(struct stand_in *stand_in)
{
    static const struct ipc_permission permissions[] = {
        {IPC_QUEUE_WANT, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
        {IPC_QUEUE_RECIPIENTS, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
        {IPC_QUEUE_ABANDON, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
        {IPC_QUEUE_COMMIT, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
        {0, 0},
    };
    static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return false;
    stand_in->channel =
        ipc_channel_create(stand_in->loop, ends[1], IPC_ROLE_SMTPD, &handlers, stand_in);
    intake_init(&stand_in->intake, stand_in->loop, 1);
    intake_attach(&stand_in->intake, ends[0]);
    const struct ipc_queue_state state = {.outcome = outcome_ok(), .available_bytes = UINT64_MAX};
    return stand_in->channel && ipc_channel_send(stand_in->channel, IPC_QUEUE_STATE, &state);
}

/* ---- the session ---- */

static struct span find_client_name(void *context, const struct ip_address *address,
                                    struct arena *arena)
{
    (void)context;
    (void)address;
    (void)arena;
    return SPAN("localhost");
}

/* pickup and the queue judge recipients, as with any message of a user. */
static void check_recipient(void *context, struct addr_ahead *ahead UNUSED, struct span sender,
                            const struct mailbox *recipient, bool is_first, struct arena *arena,
                            struct smtpsession_verdict *verdict)
{
    (void)context;
    (void)sender;
    (void)is_first;
    (void)arena;
    *verdict = (struct smtpsession_verdict){
        .outcome = outcome_ok(), .is_ours = true, .recipient = recipient->text};
}

static void on_session_end(struct smtpsession_service *sessions)
{
    struct stand_in *stand_in = sessions->owner;
    loop_stop(stand_in->loop);
}

static void make_settings(const struct conf_smtpd *conf, struct smtpsession_settings *settings)
{
    *settings = (struct smtpsession_settings){
        .service_name = SPAN("smtp"),
        .queue_timeout_ms = conf->smtpd_timeout_ms,
        .looks_up_client = true,
        .has_smtputf8 = true,
        .discarded_ehlo_keywords =
            SPAN("CHUNKING"), /* counts bytes before pump() has changed them */
    };
    smtpserver_settings_add_session(conf, settings);
}

/* A table that this user may not read has no command in it. */
static void open_words(const char *parameter, struct span words, struct table_words *list)
{
    struct conf_error error;
    if (table_words_open(parameter, words, list, &error))
        return;
    sendmail_warn("%s", error.text);
    *list = (struct table_words){.words = span_empty()};
}

/* As in smtpd, of which this client is one, from this machine. */
static struct client_list *open_verp_clients(const struct conf_smtpd *conf)
{
    struct buffer error;
    buffer_init(&error, NULL, CONF_ERROR_TEXT_BYTES);
    struct client_list *list = client_list_open(conf->smtpd_authorized_verp_clients, &error);
    if (!list)
        sendmail_warn("smtpd_authorized_verp_clients: %.*s", SPAN_PRINTF(buffer_span(&error)));
    buffer_release(&error);
    return list;
}

static NORETURN void serve(struct sendmail *sendmail, const struct conf_smtpd *conf, int connection)
{
    static struct stand_in stand_in;
    static struct table_words noop_commands, forbidden_commands;
    struct smtpsession_settings settings;
    struct sockaddr_storage address = {.ss_family = AF_INET};
    const struct sockaddr_in loopback = {.sin_family = AF_INET,
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct smtpsession_backend backend = {.context = &stand_in,
                                                .find_client_name = find_client_name,
                                                .check_recipient = check_recipient};
    memcpy(&address, &loopback, sizeof(loopback));
    stand_in.sendmail = sendmail;
    for (size_t i = 0; i < GRANTS_MAX; i++)
        stand_in.grants[i].content = -1;
    stand_in.loop = loop_create();
    maillog_init(&stand_in.log, LOG_BYTES, NULL, NULL);
    make_settings(conf, &settings);
    open_words("smtpd_noop_commands", conf->smtpd_noop_commands, &noop_commands);
    open_words("smtpd_forbidden_commands", conf->smtpd_forbidden_commands, &forbidden_commands);
    settings.noop_commands = &noop_commands;
    settings.forbidden_commands = &forbidden_commands;
    settings.verp_clients = open_verp_clients(conf);
    if (!stand_in.loop || !attach(&stand_in))
        sendmail_die(EX_OSERR, "out of memory");
    smtpsession_service_init(&stand_in.sessions, stand_in.loop, &stand_in.log, &stand_in.intake,
                             &settings, &backend);
    stand_in.sessions.owner = &stand_in;
    stand_in.sessions.on_session_end = on_session_end;
    if (!smtpsession_start(&stand_in.sessions, connection, &address))
        sendmail_die(EX_OSERR, "out of memory");
    loop_run(stand_in.loop);
    exit(EX_OK);
}

/* ---- standard input and output, which may be pipes ---- */

static bool write_all(int descriptor, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t count = write(descriptor, bytes, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        bytes += count;
        length -= (size_t)count;
    }
    return true;
}

/* A program that writes to a pipe has line ends of its own. */
static bool write_lines(int connection, struct smtp_line_ends *state, struct span text)
{
    struct span piece;
    while (smtp_line_ends_next(state, &text, &piece))
        if (!write_all(connection, piece.bytes, piece.length))
            return false;
    return true;
}

/* Until the session has ended. */
static void pump(int connection)
{
    static uint8_t bytes[PUMP_BYTES];
    struct smtp_line_ends state = {.has_cr = false};
    struct pollfd ends[2] = {{STDIN_FILENO, POLLIN, 0}, {connection, POLLIN, 0}};
    for (;;) {
        if (poll(ends, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            return;
        }
        if (ends[1].revents) {
            const ssize_t count = read(connection, bytes, sizeof(bytes));
            if (count <= 0 || !write_all(STDOUT_FILENO, bytes, (size_t)count))
                return;
        }
        if (ends[0].revents) {
            const ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));
            if (count <= 0) {
                ends[0].fd = -1;
                (void)shutdown(connection, SHUT_WR);
            } else if (!write_lines(connection, &state, span_of(bytes, (size_t)count))) {
                ends[0].fd = -1; /* what it still says is read */
            }
        }
    }
}

int sendmail_session(struct sendmail *sendmail)
{
    static struct conf_smtpd conf;
    static struct arena arena;
    int ends[2], status = 0;
    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    if (!tool_load("sendmail", NULL, &conf_part_smtpd, &arena, &conf))
        return EX_CONFIG;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        sendmail_die(EX_OSERR, "cannot make a socket: %s", strerror(errno));
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGCHLD, SIG_DFL);
    const pid_t session = fork();
    if (session < 0)
        sendmail_die(EX_TEMPFAIL, "cannot fork: %s", strerror(errno));
    if (session == 0) {
        file_close(ends[0]);
        serve(sendmail, &conf, ends[1]);
    }
    file_close(ends[1]);
    pump(ends[0]);
    file_close(ends[0]);
    while (waitpid(session, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}
