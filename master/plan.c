/* master/plan - see plan.h. */
#include "plan.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/check.h"
#include "conf/check.h"
#include "conf/pipe_command.h"
#include "system/file.h"
#include "table/check.h"
#include "tls/check.h"

enum { SETTINGS_MAX_BYTES = 4 << 20, ARGUMENTS_MAX_BYTES = 16384 };

/* The same as conf/master.cf. */
const char plan_default_services[] =
    "smtp    inet n - y - - smtpd\n"
    "submission inet n - y - - submitd\n"
    "  -o syslog_name=posthouse/submission\n"
    "  -o smtpd_client_restrictions=\n"
    "  -o smtpd_helo_restrictions=\n"
    "  -o smtpd_sender_restrictions=\n"
    "  -o smtpd_recipient_restrictions=\n"
    "  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n"
    "submissions inet n - y - - submitd\n"
    "  -o syslog_name=posthouse/submissions\n"
    "  -o smtpd_tls_wrappermode=yes\n"
    "  -o smtpd_client_restrictions=\n"
    "  -o smtpd_helo_restrictions=\n"
    "  -o smtpd_sender_restrictions=\n"
    "  -o smtpd_recipient_restrictions=\n"
    "  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n"
    "qmgr    unix n - y - 1 qmgr\n"
    "addrd   unix - - n - 1 addrd\n"
    "dnsd    unix - - n - 1 dnsd\n"
    "limitd  unix - - y - 1 limitd\n"
    "logd    unix - - n - 1 logd\n"
    "bounce  unix - - y - 1 bounce\n"
    "verify  unix - - y - 1 verify\n"
    "pickup  unix n - y 60 1 pickup\n"
    "smtp    unix - - y - - smtp\n"
    "relay   unix - - y - - smtp\n"
    "local   unix - n n - - local\n"
    "virtual unix - n n - - virtual\n"
    "error   unix - - y - - error\n"
    "retry   unix - - y - - error\n"
    "discard unix - - y - - discard\n"
    "lmtp    unix - - y - - lmtp\n";

struct planning {
    struct plan *plan;
    struct conf_notices *notices;
    struct endpoint_rules rules;
    bool has_no_identity; /* of a service; said once */
    size_t core_count;
    size_t capacity;
};

static void note_memory(struct planning *planning)
{
    conf_notice_add(planning->notices, CONF_NOTICE_ERROR, "out of memory");
}

static size_t count_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    const int count = CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}

static bool read_configuration(struct planning *planning, const char *directory)
{
    struct plan *plan = planning->plan;
    struct conf_instance *instance = &plan->instance;
    const struct span path = arena_format(&plan->arena, "%s/master.cf", directory);
    const char *name = path.bytes ? arena_string(&plan->arena, path) : NULL;
    if (!name) {
        note_memory(planning);
        return false;
    }
    const bool has_master = access(name, F_OK) == 0 || errno != ENOENT;
    const bool is_ok =
        conf_instance_read(directory, has_master, &plan->arena, instance, planning->notices);
    if (is_ok && instance->master.service_count == 0)
        return conf_master_parse(span_from_string(plan_default_services),
                                 SPAN("built-in master.cf"), &plan->arena, &instance->master,
                                 planning->notices);
    return is_ok;
}

static bool load_settings(struct planning *planning)
{
    struct plan *plan = planning->plan;
    struct conf_master_settings *settings = &plan->settings;
    if (!conf_instance_load(&plan->instance, NULL, &conf_part_master, &plan->arena, settings,
                            planning->notices))
        return false;
    const struct span empty =
        arena_format(&plan->arena, "%.*s/empty", SPAN_PRINTF(settings->run_directory));
    plan->queue_directory = arena_string(&plan->arena, settings->queue_directory);
    plan->data_directory = arena_string(&plan->arena, settings->data_directory);
    plan->run_directory = arena_string(&plan->arena, settings->run_directory);
    plan->empty_directory = empty.bytes ? arena_string(&plan->arena, empty) : NULL;
    if (!plan->queue_directory || !plan->data_directory || !plan->run_directory ||
        !plan->empty_directory) {
        note_memory(planning);
        return false;
    }
    struct span rest = settings->inet_protocols, word;
    planning->rules.interfaces = settings->inet_interfaces;
    while (span_next_word(&rest, " \t\r\n,", &word)) {
        const bool is_all = span_equals_ascii_nocase(word, SPAN("all"));
        if (is_all || span_equals_ascii_nocase(word, SPAN("ipv4")))
            planning->rules.uses_ipv4 = true;
        if (is_all || span_equals_ascii_nocase(word, SPAN("ipv6")))
            planning->rules.uses_ipv6 = true;
    }
    return true;
}

/* master_service_disable: "name/type" or "type". */
static bool is_disabled(const struct planning *planning, const struct conf_service *service)
{
    struct span rest = planning->plan->settings.master_service_disable, word, name, type;
    while (span_next_word(&rest, " \t\r\n,", &word)) {
        const bool is_whole = span_split_once(word, '/', &name, &type);
        if (span_equals(is_whole ? type : word, service->columns[CONF_COLUMN_TYPE]) &&
            (!is_whole || span_equals(name, conf_service_name(service))))
            return true;
    }
    return false;
}

/* A later line of the same name and type counts instead. */
static bool is_replaced(const struct conf_master *master, const struct conf_service *service)
{
    for (const struct conf_service *later = service + 1;
         later < master->services + master->service_count; later++)
        if (later->type == service->type &&
            span_equals(conf_service_name(later), conf_service_name(service)))
            return true;
    return false;
}

static void leave_out_as(struct planning *planning, const struct conf_service *service,
                         enum conf_notice_level level, const char *reason)
{
    conf_notice_add(planning->notices, level, "%.*s, line %u: service %.*s/%.*s is left out: %s",
                    SPAN_PRINTF(planning->plan->instance.master.file), service->line,
                    SPAN_PRINTF(conf_service_name(service)),
                    SPAN_PRINTF(service->columns[CONF_COLUMN_TYPE]), reason);
}

static void leave_out(struct planning *planning, const struct conf_service *service,
                      const char *reason)
{
    leave_out_as(planning, service, CONF_NOTICE_REMARK, reason);
}

static const char *find_program_file(struct planning *planning,
                                     const struct wiring_program *program)
{
    struct plan *plan = planning->plan;
    const struct span path = arena_format(
        &plan->arena, "%.*s/%s", SPAN_PRINTF(plan->settings.daemon_directory), program->program);
    const char *name = path.bytes ? arena_string(&plan->arena, path) : NULL;
    if (!name) {
        note_memory(planning);
    } else if (access(name, X_OK) != 0) {
        conf_notice_add(planning->notices, CONF_NOTICE_ERROR,
                        "program %s: %s: install it, or correct daemon_directory", name,
                        strerror(errno));
        return NULL;
    }
    return name;
}

static int seal(struct planning *planning, struct span text, const char *program)
{
    const int descriptor = conf_seal(text, program);
    if (descriptor < 0)
        conf_notice_add(planning->notices, CONF_NOTICE_ERROR,
                        "cannot make a memory file for the settings of %s: %s", program,
                        strerror(errno));
    return descriptor;
}

/* As they are, and as they are under stress: a process changes between the two by itself. */
static bool seal_settings(struct planning *planning, const struct conf_service *conf,
                          struct plan_service *service)
{
    struct conf_instance *instance = &planning->plan->instance;
    const char *program = service->program->program;
    const struct conf_part *part = conf_part_find(span_from_string(program));
    struct buffer text, stressed;
    bool is_ok;

    ASSERT(part);
    buffer_init(&text, NULL, SETTINGS_MAX_BYTES);
    buffer_init(&stressed, NULL, SETTINGS_MAX_BYTES);
    is_ok = conf_instance_settings(instance, conf, part, &text, planning->notices);
    instance->is_stressed = true;
    is_ok = is_ok && conf_instance_settings(instance, conf, part, &stressed, planning->notices);
    instance->is_stressed = false;
    if (is_ok) {
        service->settings = seal(planning, buffer_span(&text), program);
        is_ok = service->settings >= 0;
    }
    if (is_ok && !span_equals(buffer_span(&text), buffer_span(&stressed))) {
        service->stressed_settings = seal(planning, buffer_span(&stressed), program);
        is_ok = service->stressed_settings >= 0;
    }
    buffer_release(&text);
    buffer_release(&stressed);
    return is_ok;
}

/* The tools' sockets have names of their own. */
static bool is_tool_socket(struct span name)
{
    for (size_t i = 0; i < wiring_program_count; i++)
        if ((wiring_programs[i].public_socket &&
             span_equals(name, span_from_string(wiring_programs[i].public_socket))) ||
            (wiring_programs[i].public_stream &&
             span_equals(name, span_from_string(wiring_programs[i].public_stream))))
            return true;
    return false;
}

static bool resolve_endpoints(struct planning *planning, const struct conf_service *conf,
                              struct plan_service *service)
{
    struct conf_error error;
    if (!(service->program->traits & WIRING_LISTENS))
        return true;
    service->endpoints =
        arena_alloc(&planning->plan->arena, ENDPOINTS_PER_SERVICE * sizeof(*service->endpoints));
    if (!service->endpoints) {
        note_memory(planning);
        return false;
    }
    if (conf->type == CONF_SERVICE_UNIX) {
        service->endpoint_count = !is_tool_socket(service->name) &&
                                  endpoint_on_unix(service->name, &service->endpoints[0]);
        if (service->endpoint_count == 0)
            conf_notice_add(planning->notices, CONF_NOTICE_ERROR,
                            "%.*s, line %u: \"%.*s\" cannot be the name of a socket in public/",
                            SPAN_PRINTF(planning->plan->instance.master.file), conf->line,
                            SPAN_PRINTF(service->name));
        return service->endpoint_count > 0;
    }
    service->endpoint_count = endpoint_resolve(service->name, &planning->rules, service->endpoints,
                                               ENDPOINTS_PER_SERVICE, &error);
    if (service->endpoint_count == 0)
        conf_notice_add(planning->notices, CONF_NOTICE_ERROR, "%.*s, line %u: %s",
                        SPAN_PRINTF(planning->plan->instance.master.file), conf->line, error.text);
    return service->endpoint_count > 0;
}

/* "smtpd -v", as in Postfix. */
static bool wants_debug_lines(const struct conf_service *conf)
{
    for (size_t i = 0; i < conf->option_count; i++)
        if (span_equals(conf->arguments[i], SPAN("-v")) ||
            span_equals(conf->arguments[i], SPAN("-vv")))
            return true;
    return false;
}

static void note_service(struct planning *planning, enum conf_notice_level level,
                         const struct conf_service *conf, const char *what, struct span word)
{
    conf_notice_add(planning->notices, level, "%.*s, line %u: service %.*s: %s%.*s",
                    SPAN_PRINTF(planning->plan->instance.master.file), conf->line,
                    SPAN_PRINTF(conf_service_name(conf)), what, SPAN_PRINTF(span_first(word, 100)));
}

/* As whom a command runs, and whether it is there. What is missing is a remark: mail for it waits,
 * and distributions ship lines for programs that few have installed. */
static void check_command(struct planning *planning, const struct conf_service *conf,
                          const struct conf_pipe_command *command)
{
    struct arena *arena = &planning->plan->arena;
    const char *user = arena_string(arena, command->user);
    const char *group = arena_string(arena, command->group);
    const char *directory = arena_string(arena, command->directory);
    const char *program = arena_string(arena, command->arguments[0]);
    if (!user || !group || !directory || !program) {
        note_memory(planning);
        return;
    }
    const struct passwd *owner = getpwnam(user);
    if (!owner)
        note_service(planning, CONF_NOTICE_REMARK, conf,
                     "there is no such user: user=", command->user);
    else if (owner->pw_uid == 0)
        note_service(planning, CONF_NOTICE_WARNING, conf,
                     "a command is not run as root: user=", command->user);
    if (*group && !getgrnam(group))
        note_service(planning, CONF_NOTICE_REMARK, conf,
                     "there is no such group: user=...:", command->group);
    if (!span_is_empty(command->chroot))
        return; /* both are to be looked for in there */
    if (*directory && access(directory, F_OK) != 0)
        note_service(planning, CONF_NOTICE_REMARK, conf,
                     "there is no such directory: directory=", command->directory);
    if (*program == '/' && access(program, F_OK) != 0)
        note_service(planning, CONF_NOTICE_REMARK, conf,
                     "there is no such program: argv=", command->arguments[0]);
}

/* -v and -o are understood; of Postfix's other options those that say what is so anyway pass. */
static void check_arguments(struct planning *planning, const struct conf_service *conf,
                            bool takes_words)
{
    static const char *const silent[] = {"-D", "-d", "-c", "-u", "-n",
                                         "-t", "-l", "-s", "-i", "-S"};
    for (size_t i = 0; i < conf->option_count; i++) {
        const struct span option = conf->arguments[i];
        bool is_known = option.length < 2 || option.bytes[0] != '-' || option.bytes[1] == 'v' ||
                        option.bytes[1] == 'o';
        for (size_t n = 0; n < ARRAY_LENGTH(silent); n++)
            is_known = is_known || span_equals(option, span_from_string(silent[n]));
        if (!is_known)
            note_service(planning, CONF_NOTICE_WARNING, conf,
                         "-v and -o are allowed before all else, and this has no effect: ", option);
    }
    if (!takes_words && conf->argument_count > conf->option_count)
        note_service(planning, CONF_NOTICE_WARNING, conf,
                     "settings are given as -o name=value, and this has no effect: ",
                     conf->arguments[conf->option_count]);
}

/* What follows the program in master.cf, where that is the daemon's to know. */
static void take_command(struct planning *planning, const struct conf_service *conf,
                         struct plan_service *service)
{
    struct plan *plan = planning->plan;
    struct conf_pipe_command command;
    struct conf_error error;
    struct buffer text;
    const struct span *words = conf->arguments + conf->option_count;
    const size_t count = conf->argument_count - conf->option_count;
    const bool takes_words = (service->program->traits & WIRING_RUNS_COMMAND) != 0;
    check_arguments(planning, conf, takes_words);
    if (!takes_words)
        return;
    if (!conf_pipe_parse(words, count, &plan->arena, &command, &error)) {
        conf_notice_add(planning->notices, CONF_NOTICE_ERROR, "%.*s, line %u: service %.*s: %s",
                        SPAN_PRINTF(plan->instance.master.file), conf->line,
                        SPAN_PRINTF(service->name), error.text);
        return;
    }
    check_command(planning, conf, &command);
    buffer_init(&text, &plan->arena, ARGUMENTS_MAX_BYTES);
    for (size_t i = 0; i < count; i++) {
        buffer_append_span(&text, words[i]);
        buffer_append_byte(&text, 0);
    }
    service->arguments = buffer_span(&text);
    if (!buffer_ok(&text))
        conf_notice_add(planning->notices, CONF_NOTICE_ERROR,
                        "%.*s, line %u: service %.*s: the command is longer than %d bytes",
                        SPAN_PRINTF(plan->instance.master.file), conf->line,
                        SPAN_PRINTF(service->name), ARGUMENTS_MAX_BYTES);
}

static size_t count_processes(const struct planning *planning, const struct conf_service *conf,
                              const struct wiring_program *program)
{
    size_t count = program->traits & WIRING_PER_CORE ? planning->core_count : 1;
    if (conf->has_process_limit && conf->process_limit > 0 &&
        (conf->process_limit < count || program->traits & WIRING_AS_MANY_AS_SAID))
        count = conf->process_limit;
    const size_t limit = planning->plan->settings.default_process_limit;
    return count < limit ? count : limit;
}

/* Everything that is wrong with it is noted, not only the first. */
static void add_service(struct planning *planning, const struct conf_service *conf,
                        const struct wiring_program *program)
{
    struct plan *plan = planning->plan;
    struct plan_service *service = arena_alloc(&plan->arena, sizeof(*service));
    struct conf_error error;
    if (!service || plan->service_count == planning->capacity) {
        note_memory(planning);
        return;
    }
    *service = (struct plan_service){.name = conf_service_name(conf),
                                     .program = program,
                                     .settings = -1,
                                     .stressed_settings = -1,
                                     .is_verbose = wants_debug_lines(conf),
                                     .process_count = count_processes(planning, conf, program)};
    plan->services[plan->service_count++] = service;
    plan->process_count += service->process_count;
    service->process_limit =
        conf->has_process_limit ? conf->process_limit : plan->settings.default_process_limit;
    service->path = find_program_file(planning, program);
    take_command(planning, conf, service);
    (void)seal_settings(planning, conf, service);     /* noted */
    (void)resolve_endpoints(planning, conf, service); /* noted */
    if (!identity_choose(&plan->instance, conf, &plan->settings, program, &service->identity,
                         &error) &&
        !planning->has_no_identity) {
        planning->has_no_identity = true; /* what is missing for one is missing for all */
        conf_notice_add(planning->notices, CONF_NOTICE_ERROR, "%s", error.text);
    }
    if (program->role == IPC_ROLE_QMGR)
        plan->owner = service->identity;
    if (program->role == IPC_ROLE_PICKUP)
        plan->drop_owner = service->identity;
}

/* The line of master.cf that counts where a program has one service: the one of its own name, else
 * the first. */
static const struct conf_service *choose_one(const struct conf_master *master,
                                             const struct wiring_program *program)
{
    const struct span name = span_from_string(program->program);
    const struct conf_service *first = NULL;
    for (size_t i = 0; i < master->service_count; i++) {
        const struct conf_service *service = &master->services[i];
        if (!span_equals(service->program, name) || is_replaced(master, service))
            continue;
        if (span_equals(conf_service_name(service), name))
            return service;
        if (!first)
            first = service;
    }
    return first;
}

static void add_missing_service(struct planning *planning, const struct wiring_program *program)
{
    struct conf_service *conf = arena_alloc(&planning->plan->arena, sizeof(*conf));
    if (!conf) {
        note_memory(planning);
        return;
    }
    *conf = (struct conf_service){.type = CONF_SERVICE_UNIX, .is_private = true};
    for (size_t i = 0; i < CONF_COLUMN_COUNT; i++)
        conf->columns[i] = SPAN("-");
    conf->columns[CONF_COLUMN_SERVICE] = span_from_string(program->program);
    conf->columns[CONF_COLUMN_TYPE] = SPAN("unix");
    conf->program = span_from_string(program->program);
    add_service(planning, conf, program);
}

/* Is it to run? Programs below the one being planned are not planned yet. */
static bool is_there(const struct planning *planning, const struct wiring_program *client,
                     const struct wiring_program *planned)
{
    for (size_t i = 0; i < planning->plan->service_count; i++)
        if (planning->plan->services[i]->program == client)
            return true;
    return wiring_number(client) > wiring_number(planned) &&
           choose_one(&planning->plan->instance.master, client) != NULL;
}

/* Is there somebody who is to run and talks to it, or needs one who does? Programs that are there
 * for their clients do not go round in a circle. */
static bool is_needed(const struct planning *planning, const struct wiring_program *program)
{
    if (program->traits & WIRING_ALWAYS)
        return true;
    for (size_t i = 0; i < wiring_program_count; i++) {
        const struct wiring_program *client = &wiring_programs[i];
        if ((program->traits & WIRING_FOR_CLIENTS) != 0 && client != program &&
            wiring_between(client->role, program->role) &&
            (is_there(planning, client, program) || is_needed(planning, client)))
            return true;
    }
    return false;
}

static void add_services_of(struct planning *planning, const struct wiring_program *program)
{
    const struct conf_master *master = &planning->plan->instance.master;
    const struct conf_service *only =
        program->traits & WIRING_ONE_SERVICE ? choose_one(master, program) : NULL;
    size_t count = 0;

    for (size_t i = 0; i < master->service_count; i++) {
        const struct conf_service *service = &master->services[i];
        if (!span_equals(service->program, span_from_string(program->program)) ||
            is_replaced(master, service))
            continue;
        if (only && service != only) {
            leave_out(planning, service, "one service of this program does the work of all");
        } else if ((program->traits & WIRING_LISTENS) != 0 && service->type != CONF_SERVICE_INET &&
                   !(service->type == CONF_SERVICE_UNIX && !service->is_private)) {
            leave_out(planning, service,
                      "this program listens on services of type inet, and of type unix with n in "
                      "the column private");
        } else if (!(program->traits & WIRING_LISTENS) && service->type == CONF_SERVICE_INET) {
            leave_out(planning, service, "this program does not listen on the network");
        } else if (!(program->traits & WIRING_ALWAYS) && is_disabled(planning, service)) {
            continue;
        } else {
            add_service(planning, service, program);
            count++;
        }
    }
    if (count == 0 && is_needed(planning, program))
        add_missing_service(planning, program);
}

/* A program that differs in two letters that were swapped, one that is wrong, missing or too much;
 * those of Postfix that are not here differ in more. */
static const char *suggest_program(struct span name)
{
    for (size_t i = 0; i < wiring_program_count; i++) {
        const struct span known = span_from_string(wiring_programs[i].program);
        size_t front = 0, back = 0;
        while (front < name.length && front < known.length &&
               name.bytes[front] == known.bytes[front])
            front++;
        while (back < name.length - front && back < known.length - front &&
               name.bytes[name.length - 1 - back] == known.bytes[known.length - 1 - back])
            back++;
        const size_t left = name.length - front - back, right = known.length - front - back;
        const bool is_swapped = left == 2 && right == 2 &&
                                name.bytes[front] == known.bytes[front + 1] &&
                                name.bytes[front + 1] == known.bytes[front];
        if (is_swapped || (left <= 1 && right <= 1))
            return wiring_programs[i].program;
    }
    return NULL;
}

static void note_foreign_services(struct planning *planning)
{
    const struct conf_master *master = &planning->plan->instance.master;
    for (size_t i = 0; i < master->service_count; i++) {
        const struct conf_service *service = &master->services[i];
        char reason[160];
        if (wiring_find(service->program) || is_disabled(planning, service))
            continue;
        struct buffer text;
        buffer_init(&text, NULL, sizeof(reason) - 1);
        buffer_append_format(&text, "program %.*s has no counterpart here",
                             SPAN_PRINTF(span_first(service->program, 64)));
        const char *meant = suggest_program(service->program);
        if (meant)
            buffer_append_format(&text, "; did you mean %s?", meant);
        memcpy(reason, buffer_span(&text).bytes, text.length);
        reason[text.length] = '\0';
        buffer_release(&text);
        leave_out_as(planning, service, meant ? CONF_NOTICE_WARNING : CONF_NOTICE_REMARK, reason);
    }
}

/* Words of master_service_disable that leave nothing out. */
static void note_disabled(struct planning *planning)
{
    const struct conf_instance *instance = &planning->plan->instance;
    struct span rest = planning->plan->settings.master_service_disable, word, name, type;
    while (span_next_word(&rest, " \t\r\n,", &word)) {
        const bool is_whole = span_split_once(word, '/', &name, &type);
        bool is_used = false;
        for (size_t i = 0; i < instance->master.service_count && !is_used; i++) {
            const struct conf_service *service = &instance->master.services[i];
            const struct wiring_program *program = wiring_find(service->program);
            is_used = span_equals(is_whole ? type : word, service->columns[CONF_COLUMN_TYPE]) &&
                      (!is_whole || span_equals(name, conf_service_name(service))) &&
                      !(is_whole && program && program->traits & WIRING_ALWAYS);
        }
        if (!is_used)
            conf_notice_add(
                planning->notices, CONF_NOTICE_WARNING,
                "%.*s master_service_disable: %.*s leaves no service out: name/type or "
                "type of a line of master.cf that is not needed always is allowed",
                SPAN_PRINTF(conf_instance_origin(instance, NULL, SPAN("master_service_disable"))),
                SPAN_PRINTF(span_first(word, 100)));
    }
}

static void check_value(void *context, const struct conf_parameter *parameter, struct span name,
                        struct span value, struct span origin, struct conf_notices *notices)
{
    table_check_setting(context, parameter, name, value, origin, notices);
    tls_check_setting(name, value, origin, notices);
    auth_check_setting(name, value, origin, notices);
}

struct plan *plan_create(const char *directory, struct conf_notices *notices)
{
    const size_t errors_before = notices->error_count;
    struct planning planning = {.notices = notices, .core_count = count_cores()};
    struct plan *plan = calloc(1, sizeof(*plan));
    if (!plan) {
        note_memory(&planning);
        return NULL;
    }
    planning.plan = plan;
    arena_init(&plan->arena, CONF_INSTANCE_ARENA_BYTES, 0);
    plan->owner = plan->drop_owner = (struct identity){getuid(), getgid()};
    const struct conf_value_check value_check = {check_value, NULL};
    const bool is_read = read_configuration(&planning, directory);
    if (is_read)
        (void)!conf_check(&plan->instance, &value_check, notices); /* noted */
    if (is_read)
        tls_check_services(&plan->instance, notices);
    if (is_read)
        table_check_services(&plan->instance, notices);
    if (is_read)
        auth_check_services(&plan->instance, notices);
    if (!is_read || !load_settings(&planning)) {
        plan_destroy(&plan);
        return NULL;
    }
    planning.capacity = plan->instance.master.service_count + wiring_program_count;
    plan->services = arena_alloc(&plan->arena, planning.capacity * sizeof(struct plan_service *));
    if (!plan->services) {
        note_memory(&planning);
        plan_destroy(&plan);
        return NULL;
    }
    for (size_t i = 0; i < wiring_program_count; i++)
        add_services_of(&planning, &wiring_programs[i]);
    note_foreign_services(&planning);
    note_disabled(&planning);
    if (notices->error_count != errors_before)
        plan_destroy(&plan);
    return plan;
}

void plan_destroy(struct plan **plan)
{
    if (!*plan)
        return;
    for (size_t i = 0; i < (*plan)->service_count; i++) {
        file_close((*plan)->services[i]->settings);
        file_close((*plan)->services[i]->stressed_settings);
    }
    arena_destroy(&(*plan)->arena);
    free(*plan);
    *plan = NULL;
}
