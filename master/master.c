/* master/master - see master.h. */
#include "master.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control.h"
#include "fleet.h"
#include "key_check.h"
#include "lock.h"
#include "places.h"
#include "privilege.h"
#include "rehearsal.h"
#include "system/file.h"
#include "upgrade.h"

enum { NOTICES_BYTES = 1 << 20 };

struct master {
    const struct master_options *options;
    struct loop *loop;
    struct maillog log;
    struct maillog_client log_client;
    struct listeners listeners;
    struct fleet *fleet;
    struct control *control;
    struct control_request *reload_request; /* NULL: nobody waits */
    struct list stop_requests;
    struct places places;
    struct event signals[4];
    char version[256];       /* for log lines */
    uint32_t upgrade_count;  /* masters before this one in our process */
    char upgrade_error[512]; /* why the last upgrade was given up, or "" */
    int lock;
    int status;
    bool is_up;         /* the start has succeeded */
    bool is_reload_due; /* SIGHUP came while another was under way: what that read may be old */
    struct loop_timer reload_timer;
};

struct stop_request {
    struct list_link link;
    struct control_request *request;
};

static void complain(const char *level, const char *text)
{
    (void)fprintf(stderr, "posthouse: %s%s\n", level, text);
}

static void show_notices(const struct conf_notices *notices, bool with_remarks)
{
    for (const struct conf_notice *notice = notices->first; notice; notice = notice->next) {
        if (notice->level == CONF_NOTICE_ERROR)
            complain("fatal: ", notice->text);
        else if (notice->level == CONF_NOTICE_WARNING)
            complain("warning: ", notice->text);
        else if (with_remarks)
            complain("", notice->text);
    }
}

bool master_check(const struct master_options *options)
{
    struct arena arena;
    struct conf_notices notices;
    struct places places;
    bool is_ok = false;

    arena_init(&arena, NOTICES_BYTES, 0);
    conf_notices_init(&notices, &arena);
    notices.is_thorough = true;
    struct plan *plan = plan_create(options->directory, &notices);
    if (plan)
        key_check(plan, &notices);
    if (plan && places_open(plan, &places, &notices)) {
        rehearse_start(plan, &places, &notices);
        places_close(&places);
        is_ok = notices.error_count == 0;
    }
    plan_destroy(&plan);
    show_notices(&notices, true);
    arena_destroy(&arena);
    return is_ok;
}

/* ---- what is logged ---- */

static void log_state(struct master *master, const char *what)
{
    maillog_text(&master->log, LOG_LEVEL_INFO, span_empty(), "%s -- version %s, configuration %s",
                 what, master->version, master->options->directory);
}

static void log_warnings(struct master *master, const struct conf_notices *notices)
{
    for (const struct conf_notice *notice = notices->first; notice; notice = notice->next)
        if (notice->level != CONF_NOTICE_REMARK)
            maillog_text(&master->log, LOG_LEVEL_WARNING, span_empty(), "%s", notice->text);
}

static void take_names(struct master *master, const struct plan *plan)
{
    struct buffer tag;
    buffer_init(&tag, NULL, sizeof(master->version) - 1);
    buffer_append_format(&tag, "%.*s/master", SPAN_PRINTF(plan->settings.syslog_name));
    maillog_client_set_tag(&master->log_client, buffer_span(&tag));
    buffer_release(&tag);
    (void)snprintf(master->version, sizeof(master->version), "%.*s",
                   SPAN_PRINTF(plan->settings.mail_version));
}

/* ---- stopping ---- */

static void on_stopped(bool is_ok, const char *text, void *context)
{
    struct master *master = context;
    struct list_link *link;
    (void)is_ok;
    (void)text;
    while ((link = list_pop(&master->stop_requests)) != NULL) {
        struct stop_request *stop = LIST_ITEM(link, struct stop_request, link);
        control_answer(stop->request, true, span_empty());
        free(stop);
    }
    loop_stop(master->loop);
}

static void stop(struct master *master, bool is_graceful)
{
    maillog_client_flush(&master->log_client);
    fleet_stop(master->fleet, is_graceful, on_stopped, master);
}

/* ---- starting and reloading ---- */

/* The terminal of whoever started us is none of ours any more. */
static void leave_terminal(void)
{
    const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nowhere < 0 || dup2(nowhere, STDIN_FILENO) < 0 || dup2(nowhere, STDOUT_FILENO) < 0 ||
        dup2(nowhere, STDERR_FILENO) < 0)
        return; /* nothing depends on it */
    file_close(nowhere);
}

/* A start or reload has come to its end. From the loop: the fleet is in the middle of it. */
static void make_up_for_reload(struct master *master)
{
    if (master->is_reload_due)
        loop_timer_set(&master->reload_timer, clock_deadline_after(0));
}

static void on_run(bool is_ok, const char *text, void *context)
{
    struct master *master = context;
    make_up_for_reload(master);
    if (!is_ok) {
        complain("fatal: ", text);
        maillog_text(&master->log, LOG_LEVEL_FATAL, span_empty(), "%s", text);
        master->status = EXIT_FAILURE;
        stop(master, true);
        return;
    }
    master->is_up = true;
    if (master->options->ready_descriptor >= 0) {
        (void)!write(master->options->ready_descriptor, "", 1); /* who waits no more, waits not */
        file_close(master->options->ready_descriptor);
    }
    if (master->options->is_background)
        leave_terminal();
}

static void answer_reload(struct master *master, bool is_ok, const char *text)
{
    struct control_request *request = master->reload_request;
    master->reload_request = NULL;
    if (request)
        control_answer(request, is_ok, span_from_string(text));
}

static void on_reloaded(bool is_ok, const char *text, void *context)
{
    struct master *master = context;
    const struct plan *plan = fleet_plan(master->fleet);
    if (is_ok && plan)
        take_names(master, plan);
    if (is_ok)
        log_state(master, "reload");
    answer_reload(master, is_ok, text);
    make_up_for_reload(master);
}

/* What cannot change while we run. */
static bool is_same_instance(const struct plan *old, const struct plan *new,
                             struct conf_notices *notices)
{
    const char *changed = strcmp(old->queue_directory, new->queue_directory) != 0
                              ? "queue_directory"
                          : strcmp(old->data_directory, new->data_directory) != 0 ? "data_directory"
                          : strcmp(old->run_directory, new->run_directory) != 0   ? "run_directory"
                          : old->owner.uid != new->owner.uid ? "the owner of the queue"
                                                             : NULL;
    if (changed)
        conf_notice_add(notices, CONF_NOTICE_ERROR,
                        "%s has changed: that takes effect with posthouse stop and start", changed);
    return !changed;
}

static struct plan *prepare_reload(struct master *master, struct conf_notices *notices)
{
    struct plan *plan = plan_create(master->options->directory, notices);
    struct places places;
    if (!plan)
        return NULL;
    const struct plan *old = fleet_plan(master->fleet);
    if ((old && !is_same_instance(old, plan, notices)) || !places_open(plan, &places, notices)) {
        plan_destroy(&plan);
        return NULL;
    }
    if (!listeners_open(&master->listeners, plan, fleet_next_generation(master->fleet),
                        places.public, notices))
        plan_destroy(&plan);
    places_close(&places);
    return plan;
}

static void append_errors(struct buffer *text, const struct conf_notices *notices)
{
    for (const struct conf_notice *notice = notices->first; notice; notice = notice->next)
        if (notice->level == CONF_NOTICE_ERROR)
            buffer_append_format(text, "%s%s", text->length ? "\n" : "", notice->text);
}

static void reload(struct master *master)
{
    struct arena arena;
    struct conf_notices notices;
    arena_init(&arena, NOTICES_BYTES, 0);
    conf_notices_init(&notices, &arena);
    struct plan *plan = prepare_reload(master, &notices);
    log_warnings(master, &notices);
    if (plan) {
        fleet_run(master->fleet, plan, on_reloaded, master);
    } else {
        struct buffer text;
        buffer_init(&text, NULL, NOTICES_BYTES);
        append_errors(&text, &notices);
        buffer_append_byte(&text, 0);
        maillog_text(&master->log, LOG_LEVEL_ERROR, span_empty(),
                     "reload given up, what ran before goes on");
        answer_reload(master, false, buffer_ok(&text) ? (const char *)text.bytes : "out of memory");
        buffer_release(&text);
    }
    arena_destroy(&arena);
}

/* Whoever sends a signal hears of nothing, and does not come again: it is not forgotten. */
static void reload_or_put_off(void *context)
{
    struct master *master = context;
    master->is_reload_due = fleet_is_busy(master->fleet);
    if (!master->is_reload_due)
        reload(master);
}

/* ---- becoming another program ---- */

static void fail_upgrade(struct master *master, const char *reason)
{
    (void)snprintf(master->upgrade_error, sizeof(master->upgrade_error), "%s", reason);
    maillog_text(&master->log, LOG_LEVEL_ERROR, span_empty(),
                 "upgrade given up, what ran before goes on: %s", reason);
}

static void hand_over(struct master *master, const char *program)
{
    struct arena arena;
    struct buffer schema;
    arena_init(&arena, HANDOVER_MAX_BYTES, 0);
    buffer_init(&schema, NULL, 256);
    handover_schema(&schema);
    struct handover handover = {
        .schema = buffer_span(&schema),
        .lock = master->lock,
        .upgrade_count = master->upgrade_count + 1,
        .listeners = arena_alloc(&arena, HANDOVER_ITEMS_MAX * sizeof(*handover.listeners)),
        .processes = arena_alloc(&arena, HANDOVER_ITEMS_MAX * sizeof(*handover.processes)),
    };
    const struct upgrade_request request = {.program = program,
                                            .directory = master->options->directory,
                                            .is_verbose = master->options->is_verbose,
                                            .handover = &handover};
    const char *reason = "too many processes or sockets to hand over";
    if (handover.listeners && handover.processes && fleet_hand_over(master->fleet, &handover) &&
        listeners_hand_over(&master->listeners, &handover)) {
        maillog_client_flush(&master->log_client);
        reason = upgrade_become(&request);
    }
    fail_upgrade(master, reason);
    buffer_release(&schema);
    arena_destroy(&arena);
}

static void upgrade(struct master *master)
{
    struct arena arena;
    struct conf_notices notices;
    struct conf_instance instance;
    struct conf_error error;
    struct buffer program;
    master->upgrade_error[0] = '\0';
    if (fleet_is_busy(master->fleet)) {
        fail_upgrade(master, "a start, stop or reload is under way: try again");
        return;
    }
    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    conf_notices_init(&notices, &arena);
    buffer_init(&program, NULL, PATH_MAX);
    if (!conf_instance_read(master->options->directory, false, &arena, &instance, &notices) ||
        !conf_instance_value(&instance, NULL, SPAN("daemon_directory"), &program, &error)) {
        fail_upgrade(master, "the configuration cannot be read; posthouse check says why");
    } else {
        buffer_append_string(&program, "/master");
        buffer_append_byte(&program, 0);
        if (buffer_ok(&program))
            hand_over(master, (const char *)program.bytes);
    }
    buffer_release(&program);
    arena_destroy(&arena);
}

/* ---- who asks ---- */

static void on_signal(evutil_socket_t number, short what, void *context)
{
    struct master *master = context;
    (void)what;
    if (number == SIGHUP) {
        reload_or_put_off(master);
        return;
    }
    if (number == SIGUSR2) {
        upgrade(master);
        return;
    }
    maillog_text(&master->log, LOG_LEVEL_INFO, span_empty(), "terminating on signal %d",
                 (int)number);
    stop(master, true);
}

static void answer_when_stopped(struct master *master, struct control_request *request)
{
    struct stop_request *waiting = calloc(1, sizeof(*waiting));
    if (!waiting) {
        control_answer(request, false, SPAN("out of memory"));
        return;
    }
    waiting->request = request;
    list_append(&master->stop_requests, &waiting->link);
}

/* How many there were; not done while one is under way. What went wrong with the last stands behind
 * the number. */
static void answer_upgrades(struct master *master, struct control_request *request)
{
    struct buffer text;
    buffer_init(&text, NULL, IPC_RECORDS_MAX);
    buffer_append_format(&text, "%u %s", master->upgrade_count, master->upgrade_error);
    control_answer(request, !fleet_is_busy(master->fleet), buffer_span(&text));
    buffer_release(&text);
}

static void on_command(struct control_request *request, struct span command, void *context)
{
    struct master *master = context;
    if (span_equals(command, SPAN("status"))) {
        struct buffer text;
        buffer_init(&text, NULL, IPC_RECORDS_MAX);
        fleet_describe(master->fleet, &text);
        control_answer(request, true, buffer_span(&text));
        buffer_release(&text);
    } else if (span_equals(command, SPAN("upgrades"))) {
        answer_upgrades(master, request);
    } else if (span_equals(command, SPAN("reload"))) {
        if (master->reload_request || fleet_is_busy(master->fleet)) {
            control_answer(request, false, SPAN("a start, stop or reload is under way: try again"));
            return;
        }
        master->reload_request = request;
        reload(master);
    } else if (span_equals(command, SPAN("stop"))) {
        answer_when_stopped(master, request);
        (void)kill(getpid(), SIGTERM); /* one way to stop, one line in the log */
    } else if (span_equals(command, SPAN("abort"))) {
        answer_when_stopped(master, request);
        maillog_text(&master->log, LOG_LEVEL_WARNING, span_empty(), "aborting all daemons");
        stop(master, false);
    } else {
        control_answer(request, false, SPAN("master knows no such command"));
    }
}

/* ---- life ---- */

static bool watch_signals(struct master *master)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        if (event_assign(&master->signals[i], loop_event_base(master->loop), numbers[i],
                         EV_SIGNAL | EV_PERSIST, on_signal, master) != 0 ||
            event_add(&master->signals[i], NULL) != 0)
            return false;
    return true;
}

static bool open_control(struct master *master, struct conf_notices *notices)
{
    const int listener =
        listeners_bind_unix(master->places.run, "master.sock", SOCK_SEQPACKET, 0600);
    if (listener >= 0)
        master->control = control_create(master->loop, listener, on_command, master);
    if (!master->control)
        conf_notice_add(notices, CONF_NOTICE_ERROR,
                        "cannot listen on master.sock in run_directory: %s", strerror(errno));
    return master->control != NULL;
}

static bool take_lock(struct master *master, struct conf_notices *notices)
{
    pid_t holder;
    master->lock = lock_take(master->places.pid, &holder);
    if (master->lock >= 0)
        return true;
    if (holder > 0)
        conf_notice_add(notices, CONF_NOTICE_ERROR,
                        "the Posthouse mail system is already running: PID: %d", (int)holder);
    else
        conf_notice_add(notices, CONF_NOTICE_ERROR, "cannot lock pid/master.pid: %s",
                        strerror(errno));
    return false;
}

static bool create_parts(struct master *master)
{
    const struct fleet_options options = {
        .loop = master->loop,
        .log = &master->log,
        .log_client = &master->log_client,
        .listeners = &master->listeners,
        .output = master->options->is_background ? -1 : STDOUT_FILENO,
        .is_verbose = master->options->is_verbose,
    };
    loop_timer_init(&master->reload_timer, master->loop, reload_or_put_off, master);
    master->fleet = fleet_create(&options);
    return master->fleet && watch_signals(master);
}

static void on_upgraded(bool is_ok, const char *text, void *context)
{
    struct master *master = context;
    if (!is_ok)
        (void)snprintf(master->upgrade_error, sizeof(master->upgrade_error), "%s", text);
    master->is_up = true;
    make_up_for_reload(master);
}

/* Everything that the master before us held. */
static bool inherit(struct master *master, struct conf_notices *notices)
{
    struct arena arena;
    struct handover handover;
    arena_init(&arena, 4 * HANDOVER_MAX_BYTES, 0);
    const bool is_ok = upgrade_receive(master->options->handover, &arena, &handover) &&
                       listeners_adopt(&master->listeners, &handover) &&
                       fleet_adopt(master->fleet, &handover, master->options->directory);
    if (is_ok) {
        master->lock = handover.lock;
        master->upgrade_count = handover.upgrade_count;
    } else {
        conf_notice_add(notices, CONF_NOTICE_ERROR, "cannot take over what the master before left");
    }
    arena_destroy(&arena);
    return is_ok;
}

/* The plan is taken over. */
static bool start(struct master *master, struct plan *plan, struct conf_notices *notices)
{
    const bool is_heir = master->options->handover >= 0;
    if (!plan || !places_open(plan, &master->places, notices) ||
        !(is_heir ? inherit(master, notices) : take_lock(master, notices)) ||
        !listeners_open(&master->listeners, plan, fleet_next_generation(master->fleet),
                        master->places.public, notices) ||
        !open_control(master, notices)) {
        plan_destroy(&plan);
        return false;
    }
    if (privilege_reduce() != 0) {
        conf_notice_add(notices, CONF_NOTICE_ERROR, "cannot give up privileges: %s",
                        strerror(errno));
        plan_destroy(&plan);
        return false;
    }
    take_names(master, plan);
    log_state(master, is_heir ? "upgrade" : "daemon started");
    log_warnings(master, notices);
    fleet_run(master->fleet, plan, is_heir ? on_upgraded : on_run, master);
    return true;
}

int master_run(const struct master_options *options)
{
    static struct master master; /* one per process */
    struct arena arena;
    struct conf_notices notices;

    master.options = options;
    master.places = (struct places){-1, -1, -1};
    list_init(&master.stop_requests);
    listeners_init(&master.listeners);
    privilege_raise_limits();
    master.loop = loop_create();
    if (!master.loop) {
        complain("fatal: ", "out of memory or descriptors");
        return EXIT_FAILURE;
    }
    maillog_client_init(&master.log_client, master.loop, &master.log, SPAN("posthouse/master"));
    arena_init(&arena, NOTICES_BYTES, 0);
    conf_notices_init(&notices, &arena);
    if (!create_parts(&master)) {
        complain("fatal: ", "out of memory or descriptors");
        return EXIT_FAILURE;
    }
    const bool has_started = start(&master, plan_create(options->directory, &notices), &notices);
    show_notices(&notices, false);
    arena_destroy(&arena);
    if (!has_started)
        return EXIT_FAILURE;
    loop_run(master.loop);
    loop_timer_release(&master.reload_timer);
    control_destroy(&master.control);
    listeners_close(&master.listeners);
    fleet_destroy(&master.fleet);
    return master.status;
}
