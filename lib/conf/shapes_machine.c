/* conf/shapes_machine - values that name something of this machine: programs, files, users, hosts;
 * and two small grammars of daemons. */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"
#include "conf/shapes_private.h"
#include "conf/value.h"

enum { SHOWN_MAX_BYTES = 100 };

static const char separators[] = ", \t\r\n";

static const char *string_of(const struct conf_shape_question *question, struct span text)
{
    return arena_string(question->instance->arena, text);
}

void conf_shape_directory(const struct conf_shape_question *question, struct conf_notices *notices)
{
    struct stat facts;
    const char *path = string_of(question, question->value);
    if (!path || path[0] == '\0')
        return;
    if (path[0] != '/') {
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR, "a path from / on is allowed");
        return;
    }
    if (stat(path, &facts) != 0)
        conf_shape_complain(question, notices, CONF_NOTICE_WARNING,
                            "%s; mail waits until it is there", strerror(errno));
    else if (!S_ISDIR(facts.st_mode))
        conf_shape_complain(question, notices, CONF_NOTICE_WARNING,
                            "this is no directory; mail waits until there is one");
}

/* A word with a name in it stands for another program at each delivery. */
void conf_shape_command(const struct conf_shape_question *question, struct conf_notices *notices)
{
    struct span rest = question->value, word;
    if (!span_next_word(&rest, separators, &word) || word.bytes[0] != '/' ||
        conf_has_any_byte(word, "$\"'\\"))
        return;
    const char *path = string_of(question, word);
    if (path && access(path, X_OK) != 0)
        conf_shape_complain(question, notices, CONF_NOTICE_WARNING,
                            "%s: %s; mail waits until it can be run", path, strerror(errno));
}

/* Read once at the start, which is refused without them. */
void conf_shape_files(const struct conf_shape_question *question, struct conf_notices *notices)
{
    struct span rest = question->value, word;
    while (span_next_word(&rest, separators, &word)) {
        const char *path = string_of(question, word);
        if (path && access(path, R_OK) != 0)
            conf_shape_complain(question, notices, CONF_NOTICE_ERROR,
                                "%s: %s: correct the name, or take it out", path, strerror(errno));
    }
}

void conf_shape_owner(const struct conf_shape_question *question, struct conf_notices *notices)
{
    struct span user, group;
    (void)span_split_once(question->value, ':', &user, &group); /* the group may be left out */
    const char *user_name = string_of(question, user);
    const char *group_name = string_of(question, group);
    if (user_name && user_name[0] && !getpwnam(user_name))
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR,
                            "there is no user %s: user, user:group or :group is allowed",
                            user_name);
    else if (group_name && group_name[0] && !getgrnam(group_name))
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR,
                            "there is no group %s: user, user:group or :group is allowed",
                            group_name);
}

void conf_shape_login_name(const struct conf_shape_question *question, struct conf_notices *notices)
{
    const struct span format = question->value;
    for (size_t i = 0; i < format.length; i++) {
        if (format.bytes[i] != '%')
            continue;
        i++;
        if (i + 1 < format.length && (format.bytes[i] == 'L' || format.bytes[i] == 'U'))
            i++;
        if (i >= format.length || !span_byte_is_one_of(format, i, "und%", 4)) {
            conf_shape_complain(question, notices, CONF_NOTICE_ERROR,
                                "%%u, %%n, %%d and %%%% are allowed, with L or U behind the %% for "
                                "lower and upper case");
            return;
        }
    }
}

static bool is_limit(struct span part)
{
    int64_t number;
    return part.length > 1 && part.length < 20 &&
           conf_value_parse_number(span_first(part, part.length - 1), &number);
}

void conf_shape_quota(const struct conf_shape_question *question, struct conf_notices *notices)
{
    struct span rest = question->value, part;
    bool is_quota = true, has_more = rest.length > 0;
    while (has_more) {
        has_more = span_split_once(rest, ',', &part, &rest);
        is_quota = is_quota && is_limit(part) && ascii_is_alpha(part.bytes[part.length - 1]);
    }
    if (!is_quota)
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR,
                            "bytes and S, messages and C are allowed, as in 100000000S,1000C");
}

/* Asks the resolver, which may take its time: only where nobody waits. */
static bool has_address(const char *name)
{
    struct addrinfo *list = NULL;
    if (getaddrinfo(name, NULL, NULL, &list) != 0)
        return false;
    freeaddrinfo(list);
    return true;
}

void conf_shape_interfaces(const struct conf_shape_question *question, struct conf_notices *notices)
{
    struct span rest = question->value, word;
    while (notices->is_thorough && span_next_word(&rest, separators, &word)) {
        const struct span bare =
            word.length > 2 && word.bytes[0] == '[' && word.bytes[word.length - 1] == ']'
                ? span_between(word, 1, word.length - 1)
                : word;
        const char *name = string_of(question, bare);
        if (name && !conf_value_is_one_of(bare, "all|loopback-only") && !has_address(name))
            conf_shape_complain(question, notices, CONF_NOTICE_WARNING,
                                "\"%.*s\" has no address: all, loopback-only, addresses of this "
                                "machine and its names are allowed, not those of devices",
                                SPAN_PRINTF(span_first(word, SHOWN_MAX_BYTES)));
    }
}
