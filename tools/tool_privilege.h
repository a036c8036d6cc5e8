/* tools/tool_privilege - for commands that are setgid: what the caller does not have the right to
 * do is done for one purpose only, and never on the word of the caller's own configuration.
 * Callers: tools/postdrop, postqueue. */
#ifndef TOOLS_TOOL_PRIVILEGE_H
#define TOOLS_TOOL_PRIVILEGE_H

#include "base/compiler.h"
#include "base/span.h"

/* Makes 0 to 2 open descriptors, closes all others, and gives the group up for now. False when the
 * process is not as it was started. */
MUST_USE bool tool_privilege_begin(void);
/* The group of the command again; does nothing where it has none of its own. */
MUST_USE bool tool_privilege_resume(void);
/* Before the configuration is read: where others than root can change it, or put another in its
 * place, or where the installation does not list it, the group is given up for good, and the
 * command has no more rights than its caller. In *directory from then on the place that was looked
 * at, without links that could be changed. False when that cannot be. */
MUST_USE bool tool_privilege_settle(const char **directory);
/* Does the installation's own configuration let users name this one? It does where it is the same,
 * or lists it in alternate_config_directories or multi_instance_directories; where there is none,
 * nobody forbids. Both paths have no links in them; the own one may be absent. */
MUST_USE bool tool_privilege_is_listed(const char *own, const char *directory);
/* Is the configuration in that directory root's alone, and every directory on the way to it? The
 * path has no links in it. */
MUST_USE bool tool_privilege_trusts(const char *directory);
/* The name of the real user, "unknown" where it has none. The span is static. */
struct span tool_privilege_user(void);
/* Is the user in the list (authorized_submit_users and the like)? What cannot be asked means no. */
MUST_USE bool tool_privilege_allows(struct span user, struct span list);

#endif
