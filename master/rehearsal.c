/* master/rehearsal - see rehearsal.h. */
#include "rehearsal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "listeners.h"
#include "lock.h"
#include "system/file.h"
#include "table/readable.h"
#include "table/root_alias.h"

static struct span origin_of(const struct plan *plan, const char *name)
{
    return conf_instance_origin(&plan->instance, NULL, span_from_string(name));
}

/* ---- the log ---- */

/* logd opens the file as master's user, and makes it where its directory is there. */
static int try_log_file(struct arena *arena, struct span value)
{
    const char *path = arena_string(arena, value);
    const char *above = arena_string(arena, span_first(value, span_find_last_byte(value, '/') + 1));
    if (!path || !above)
        return ENOMEM;
    const int descriptor =
        open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    const int error = descriptor >= 0 ? 0 : errno;
    file_close(descriptor);
    if (error != ENOENT)
        return error;
    return access(above, W_OK | X_OK) == 0 ? 0 : errno;
}

static void rehearse_log(const struct plan *plan, struct conf_notices *notices)
{
    struct conf_error ignored;
    struct buffer value;
    buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
    if (conf_instance_value(&plan->instance, NULL, SPAN("maillog_file"), &value, &ignored) &&
        value.length > 0 && !span_equals(buffer_span(&value), SPAN("/dev/stdout"))) {
        const int error = try_log_file(notices->arena, buffer_span(&value));
        if (error)
            conf_notice_add(
                notices, CONF_NOTICE_ERROR, "%.*s maillog_file = %.*s: cannot open it: %s: %s",
                SPAN_PRINTF(origin_of(plan, "maillog_file")), SPAN_PRINTF(buffer_span(&value)),
                strerror(error), error == ENOENT ? "make its directory" : "correct the name");
    }
    buffer_release(&value);
}

/* ---- the disk ---- */

static void rehearse_space(const struct plan *plan, const struct places *places,
                           struct conf_notices *notices)
{
    struct statvfs facts;
    if (fstatvfs(places->pid, &facts) != 0)
        return;
    const bool has_blocks = geteuid() == 0 ? facts.f_bfree > 0 : facts.f_bavail > 0;
    const bool has_files =
        facts.f_files == 0 || (geteuid() == 0 ? facts.f_ffree > 0 : facts.f_favail > 0);
    if (!has_blocks || !has_files)
        conf_notice_add(notices, CONF_NOTICE_ERROR,
                        "%.*s queue_directory = %s: its file system has no %s left: make room",
                        SPAN_PRINTF(origin_of(plan, "queue_directory")), plan->queue_directory,
                        has_blocks ? "inode" : "space");
}

/* ---- the configuration's own files ---- */

static void check_writers(struct span name, struct conf_notices *notices)
{
    const char *path = arena_string(notices->arena, name);
    struct stat facts;
    if (!path || stat(path, &facts) != 0)
        return;
    if (facts.st_uid != 0)
        conf_notice_add(notices, CONF_NOTICE_WARNING,
                        "%s belongs to uid %u, who can change what root does: chown root %s", path,
                        facts.st_uid, path);
    if (facts.st_mode & (S_IWGRP | S_IWOTH))
        conf_notice_add(notices, CONF_NOTICE_WARNING,
                        "%s may be written to by others (mode %03o), who can change what root "
                        "does: chmod go-w %s",
                        path, facts.st_mode & 07777, path);
}

static void rehearse_files(const struct plan *plan, struct conf_notices *notices)
{
    const struct span main = plan->instance.main.file;
    if (geteuid() != 0)
        return;
    check_writers(span_first(main, span_find_last_byte(main, '/')), notices);
    check_writers(main, notices);
    check_writers(plan->instance.master.file, notices);
}

/* ---- tables ---- */

static void rehearse_tables(const struct plan *plan, struct conf_notices *notices)
{
    if (geteuid() != 0)
        return;
    table_check_root_alias(&plan->instance, notices);
    for (size_t i = 0; i < plan->service_count; i++) {
        const struct plan_service *service = plan->services[i];
        if (service->program->role == IPC_ROLE_ADDRD)
            table_check_readable(&plan->instance, service->identity.uid, service->identity.gid,
                                 notices);
    }
}

void rehearse_start(const struct plan *plan, const struct places *places,
                    struct conf_notices *notices)
{
    rehearse_files(plan, notices);
    rehearse_tables(plan, notices);
    rehearse_log(plan, notices);
    rehearse_space(plan, places, notices);
    listeners_rehearse(plan, lock_is_held(places->pid), notices);
}
