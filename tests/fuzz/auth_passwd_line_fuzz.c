/* tests/fuzz/auth_passwd_line - a password file of any bytes: every user that is found is found
 * again after a replacement of the password, which changes nothing else. */
#include "auth/passwd_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void try_user(struct span contents, struct span user)
{
    struct span line, bad_field, new_line, found;
    struct account account, again;
    struct buffer output;
    ASSERT(passwd_file_find(contents, user, &line));
    ASSERT(passwd_line_user(line, &found) && span_equals(found, user));
    if (passwd_line_parse(line, &account, &bad_field) != PARSE_OK || account.password_count == 0)
        return;
    buffer_init(&output, NULL, contents.length + 64);
    if (passwd_file_replace(contents, user, account.passwords[0].stored, SPAN("{PLAIN}changed"),
                            &output) == PARSE_OK) {
        ASSERT(passwd_file_find(buffer_span(&output), user, &new_line));
        ASSERT(passwd_line_parse(new_line, &again, &bad_field) == PARSE_OK);
        ASSERT(again.password_count == account.password_count);
    }
    buffer_release(&output);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span contents = span_of(bytes, length);
    struct span rest = contents, line, user;
    for (int i = 0; i < 20 && rest.length > 0; i++) {
        (void)span_split_once(rest, '\n', &line, &rest);
        if (passwd_line_user(line, &user))
            try_user(contents, user);
    }
    return 0;
}
