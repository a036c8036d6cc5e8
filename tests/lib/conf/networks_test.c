/* tests/lib/conf/networks - lists of clients whose words stand in files. */
#include "../../test.h"

#include <stdlib.h>
#include <unistd.h>

#include "conf/instance.h"
#include "conf/smtpd.h"

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void test_expanded(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value; /* %s is the folder */
        const char *expanded;
        const char *error;
    } rows[] = {
        {"words", "192.0.2.0/24, ![2001:db8::1]", "192.0.2.0/24 ![2001:db8::1]", NULL},
        {"a file", "%s/networks", "192.0.2.1 198.51.100.0/24 [2001:db8::]/32", NULL},
        {"what is not in it", "!%s/networks 10.0.0.0/8",
         "!192.0.2.1 !198.51.100.0/24 ![2001:db8::]/32 10.0.0.0/8", NULL},
        {"a table", "cidr:%s/table", "192.0.2.0/24 [2001:db8::]/32 [::1]", NULL},
        {"a table that excludes", "!cidr:%s/table", "!192.0.2.0/24 ![2001:db8::]/32 ![::1]", NULL},
        {"a file in a file", "%s/nested", "192.0.2.1 198.51.100.0/24 [2001:db8::]/32", NULL},
        {"without end", "%s/endless", NULL, "too deeply"},
        {"no such file", "%s/absent", NULL, "No such file"},
        {"a condition", "cidr:%s/condition", NULL, "only networks can be used here"},
        {"no network", "%s/bad", NULL, "is no network"},
    };
    char folder[] = "/tmp/posthouse-networks-XXXXXX";
    char nested[512];
    assert_non_null(mkdtemp(folder));
    write_file(folder, "networks", "# ours\n192.0.2.1\n198.51.100.0/24, [2001:db8::]/32\n");
    write_file(folder, "table", "192.0.2.0/24 OK\n2001:db8::/32 yes\n # no\n[::1] x\n");
    write_file(folder, "condition", "if 10.0.0.0/8\n10.0.0.1 x\nendif\n");
    write_file(folder, "bad", "192.0.2.1/24\n");
    (void)snprintf(nested, sizeof(nested), "%s/networks\n", folder);
    write_file(folder, "nested", nested);
    (void)snprintf(nested, sizeof(nested), "%s/endless\n", folder);
    write_file(folder, "endless", nested);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        static struct conf_smtpd conf;
        struct conf_error error;
        char text[1024];
        arena_init(&arena, 32 << 20, 0);
        const char *mark = strstr(rows[i].value, "%s");
        (void)snprintf(text, sizeof(text), "mynetworks = %.*s%s%s\n",
                       (int)(mark ? mark - rows[i].value : (ptrdiff_t)strlen(rows[i].value)),
                       rows[i].value, mark ? folder : "", mark ? mark + 2 : "");
        const bool is_ok = conf_test_settings(&conf_part_smtpd, text, &arena, &conf, &error);
        if (is_ok != !rows[i].error)
            fail_msg("%s: %s", rows[i].name, is_ok ? "no error" : error.text);
        if (is_ok)
            assert_span_is(rows[i].name, conf.mynetworks, rows[i].expanded);
        else if (!strstr(error.text, rows[i].error))
            fail_msg("%s: %s", rows[i].name, error.text);
        arena_destroy(&arena);
    }
    static const char *const names[] = {"networks", "table",  "condition",
                                        "bad",      "nested", "endless"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        (void)snprintf(nested, sizeof(nested), "%s/%s", folder, names[i]);
        assert_int_equal(unlink(nested), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void test_words(void **state)
{
    (void)state;
    struct arena arena;
    static struct conf_smtpd conf;
    struct conf_error error;
    arena_init(&arena, 32 << 20, 0);
    if (!conf_test_settings(&conf_part_smtpd,
                            "mynetworks = 192.0.2.0/24\nlocal_header_rewrite_clients = "
                            "permit_inet_interfaces permit_mynetworks permit_sasl_authenticated\n",
                            &arena, &conf, &error))
        fail_msg("%s", error.text);
    assert_span_is("addresses of this machine", conf.local_header_rewrite_clients,
                   "127.0.0.1/32 192.0.2.0/24 permit_sasl_authenticated");
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expanded),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
