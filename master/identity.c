/* master/identity - see identity.h. */
#include "identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/number.h"

/* "static:N" with a number that is nobody's privilege. */
static bool parse_static(const struct conf_instance *instance, const struct conf_service *service,
                         struct span parameter, uint32_t *number)
{
    struct buffer value;
    struct conf_error ignored; /* the settings of virtual are checked elsewhere */
    uint64_t parsed = 0;

    buffer_init(&value, NULL, CONF_TEXT_MAX);
    const bool is_static = conf_instance_value(instance, service, parameter, &value, &ignored) &&
                           buffer_ok(&value) &&
                           span_starts_with(buffer_span(&value), SPAN("static:")) &&
                           number_parse_uint64(span_trim_spaces(span_after(buffer_span(&value), 7)),
                                               UINT32_MAX - 1, &parsed) &&
                           parsed > 0 && number_to_uint32(parsed, number);
    buffer_release(&value);
    return is_static;
}

static bool choose_static_owner(const struct conf_instance *instance,
                                const struct conf_service *service, struct identity *identity)
{
    uint32_t uid, gid;
    if (!parse_static(instance, service, SPAN("virtual_uid_maps"), &uid) ||
        !parse_static(instance, service, SPAN("virtual_gid_maps"), &gid))
        return false;
    *identity = (struct identity){uid, gid};
    return true;
}

static bool find_user(const char *program, struct identity *identity, struct conf_error *error)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "posthouse-%s", program);
    errno = 0;
    const struct passwd *entry = getpwnam(name);
    if (!entry) {
        conf_error_set(error,
                       "user %s does not exist: create it and those of the other daemons with "
                       "systemd-sysusers posthouse.sysusers, or set daemon_uid_base",
                       name);
        return false;
    }
    if (entry->pw_uid == 0) {
        conf_error_set(error, "user %s has uid 0: a daemon needs a uid of its own", name);
        return false;
    }
    *identity = (struct identity){entry->pw_uid, entry->pw_gid};
    return true;
}

/* The group of postdrop, which pickup shares, so that it can read what is dropped. */
static bool find_drop_group(struct span name, struct identity *identity, struct conf_error *error)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_PRINTF(name));
    const struct group *entry = getgrnam(text);
    if (!entry) {
        conf_error_set(error,
                       "setgid_group: group %s does not exist: create it with systemd-sysusers "
                       "posthouse.sysusers, or set daemon_uid_base",
                       text);
        return false;
    }
    identity->gid = entry->gr_gid;
    return true;
}

bool identity_choose(const struct conf_instance *instance, const struct conf_service *service,
                     const struct conf_master_settings *settings,
                     const struct wiring_program *program, struct identity *identity,
                     struct conf_error *error)
{
    *identity = (struct identity){getuid(), getgid()};
    if (geteuid() != 0)
        return true;
    if (program->traits & WIRING_STATIC_OWNER && choose_static_owner(instance, service, identity))
        return true;
    if (settings->daemon_uid_base == 0)
        return find_user(program->program, identity, error) &&
               (program->role != IPC_ROLE_PICKUP ||
                find_drop_group(settings->setgid_group, identity, error));
    const uint32_t number = settings->daemon_uid_base + (uint32_t)wiring_number(program);
    *identity = (struct identity){number, number};
    return true;
}
