/* tests/connectd/paths - a setting permits the sockets that it names, and none besides. */
#include "../test.h"

#include "../../connectd/paths.h"

static const struct {
    const char *name;
    const char *setting;
    const char *path;
    bool is_permitted;
} rows[] = {
    {"a path", "/run/dovecot/lmtp", "/run/dovecot/lmtp", true},
    {"another", "/run/dovecot/lmtp", "/run/dovecot/auth", false},
    {"longer", "/run/dovecot/lmtp", "/run/dovecot/lmtp2", false},
    {"in a directory", "private/", "private/dovecot-lmtp", true},
    {"below it", "private/", "private/dovecot/lmtp", true},
    {"the directory", "private/", "private/", false},
    {"its neighbour", "private/", "private2/lmtp", false},
    {"absolute is something else", "private/", "/private/lmtp", false},
    {"a way up", "private/", "private/../public/qmgr", false},
    {"a way up at the end", "private/", "private/..", false},
    {"dots in a name", "private/", "private/..lmtp", true},
    {"a next hop", "lmtp:unix:/run/x/lmtp", "/run/x/lmtp", true},
    {"without a transport", "unix:private2/lmtp", "private2/lmtp", true},
    {"a directory in a next hop", "lmtp:unix:/run/", "/run/x/lmtp", true},
    {"others permit nothing", "virtual, local:mx.example.org, smtp:[192.0.2.1]:25", "virtual",
     false},
    {"one of several", "virtual, private/ lmtp:unix:/a", "/a", true},
    {"nothing", "", "private/lmtp", false},
    {"no path", "private/", "", false},
    {"the root permits all", "/", "/run/x", true},
    {"a word that only looks like one", "myunix:/run/x", "/run/x", false},
};

static void test_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (paths_permit(span_from_string(rows[i].setting), span_from_string(rows[i].path)) !=
            rows[i].is_permitted)
            fail_msg("%s: %s", rows[i].name, rows[i].is_permitted ? "refused" : "permitted");
    assert_false(paths_permit(SPAN("private/"), SPAN("private/a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
