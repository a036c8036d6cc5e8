/* auth/passwd_line - a line of a password file, as Dovecot has them:
 * user:password:uid:gid:gecos:home:shell:extra fields. Pure.
 * Callers: authd/db_passwd_file, the fuzzer. */
#ifndef AUTH_PASSWD_LINE_H
#define AUTH_PASSWD_LINE_H

#include "base/parse.h"
#include "auth/credential.h"

/* Of a line without its line end: the user's name. False: it is empty, a comment, or nonsense. */
MUST_USE bool passwd_line_user(struct span line, struct span *user);
/* The account of a line; texts point into it. PARSE_MALFORMED: *bad_field is an extra field that
 * cannot be understood. */
MUST_USE enum parse_result passwd_line_parse(struct span line, struct account *account,
                                             struct span *bad_field);
/* A copy of the file in which that user's password is another. PARSE_MALFORMED: the user is not
 * there, or has not that password. app passwords are replaced, too. */
MUST_USE enum parse_result passwd_file_replace(struct span contents, struct span user,
                                               struct span old_stored, struct span new_stored,
                                               struct buffer *output);
/* The user's line in the file; the first counts. */
MUST_USE bool passwd_file_find(struct span contents, struct span user, struct span *line);

#endif
