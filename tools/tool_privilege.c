/* tools/tool_privilege - see tool_privilege.h. */
#include "tool_privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/instance.h"
#include "conf/tools.h"
#include "table/match.h"

static gid_t command_group;

bool tool_privilege_begin(void)
{
    int descriptor;
    do
        descriptor = open("/dev/null", O_RDWR);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor < 0 || close_range(STDERR_FILENO + 1, ~0U, 0) != 0)
        return false;
    (void)umask(077);
    command_group = getegid();
    /* The saved group stays, to come back to. */
    return setresgid((gid_t)-1, getgid(), command_group) == 0;
}

bool tool_privilege_resume(void)
{
    return setresgid((gid_t)-1, command_group, command_group) == 0;
}

static bool is_roots(const char *path, mode_t kind, bool may_be_sticky)
{
    struct stat facts;
    if (stat(path, &facts) != 0 || (facts.st_mode & S_IFMT) != kind || facts.st_uid != 0)
        return false;
    /* There nobody renames what is another's. */
    if (may_be_sticky && (facts.st_mode & S_ISVTX))
        return true;
    return (facts.st_mode & S_IWOTH) == 0 && (facts.st_gid == 0 || !(facts.st_mode & S_IWGRP));
}

bool tool_privilege_trusts(const char *directory)
{
    char *path = NULL;
    if (directory[0] != '/' || asprintf(&path, "%s/main.cf", directory) < 0)
        return false;
    bool is_trusted = is_roots(path, S_IFREG, false) && is_roots(directory, S_IFDIR, false);
    for (size_t end = strlen(directory); is_trusted && end > 0;) {
        end = span_find_last_byte(span_of(path, end), '/');
        path[end] = '\0';
        is_trusted = is_roots(end > 0 ? path : "/", S_IFDIR, true);
    }
    free(path);
    return is_trusted;
}

bool tool_privilege_is_listed(const char *own, const char *directory)
{
    static struct arena arena;
    static struct conf_tools settings;
    struct conf_instance instance;
    struct conf_notices notices;
    char *path = NULL;
    bool is_listed = strcmp(own, directory) == 0;
    if (is_listed || asprintf(&path, "%s/main.cf", own) < 0)
        return is_listed;
    const bool is_absent = access(path, F_OK) != 0 && errno == ENOENT;
    free(path);
    if (is_absent || !tool_privilege_trusts(own))
        return is_absent;
    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    conf_notices_init(&notices, &arena);
    if (conf_instance_read(own, false, &arena, &instance, &notices) &&
        conf_instance_load(&instance, NULL, &conf_part_tools, &arena, &settings, &notices)) {
        const struct span lists[] = {settings.alternate_config_directories,
                                     settings.multi_instance_directories};
        for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
            struct span rest = lists[i], word;
            while (span_next_word(&rest, ", \t\r\n", &word))
                is_listed |= span_equals(word, span_from_string(directory));
        }
    }
    arena_destroy(&arena);
    return is_listed;
}

/* Every link followed; the path itself where it leads nowhere. */
static const char *follow(const char *path, char real[PATH_MAX])
{
    return realpath(path, real) ? real : path;
}

bool tool_privilege_settle(const char **directory)
{
    static char real[PATH_MAX], own[PATH_MAX];
    if (command_group == getgid() || getuid() == 0)
        return true;
    /* Looked at once: a link may lead somewhere else when the files are read. */
    const bool is_trusted = realpath(*directory, real) && tool_privilege_trusts(real);
    if (is_trusted && tool_privilege_is_listed(follow(conf_directory_built_in(), own), real)) {
        *directory = real;
        return true;
    }
    if (is_trusted)
        (void)fprintf(stderr,
                      "%s: warning: unauthorized configuration directory name: %s: "
                      "alternate_config_directories in %s does not list it\n",
                      program_invocation_short_name, real, own);
    command_group = getgid();
    return setresgid(command_group, command_group, command_group) == 0;
}

struct span tool_privilege_user(void)
{
    const struct passwd *entry = getpwuid(getuid());
    return span_from_string(entry ? entry->pw_name : "unknown");
}

static void warn(void *context, struct span text)
{
    (void)context;
    (void)fprintf(stderr, "%s: warning: %.*s\n", program_invocation_short_name, SPAN_PRINTF(text));
}

bool tool_privilege_allows(struct span user, struct span list)
{
    const struct table_options options = {.flags = TABLE_MAY_BLOCK, .warn = warn};
    if (span_equals(span_trim_spaces(list), SPAN("static:anyone")))
        return true;
    struct table_match *match = table_match_open(list, TABLE_MATCH_EXACT, &options);
    const bool is_allowed = match && table_match_lookup(match, user) == TABLE_FOUND;
    table_match_close(&match);
    return is_allowed;
}
