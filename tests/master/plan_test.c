/* tests/master/plan - endpoints, and services made from a configuration. */
#include "../test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../master/plan.h"
#include "system/file.h"

static void test_endpoint_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_ok;
        const char *host;
        const char *port;
    } rows[] = {
        {"smtp", true, "", "smtp"},
        {"25", true, "", "25"},
        {"127.0.0.1:2525", true, "127.0.0.1", "2525"},
        {"mail.example.org:submission", true, "mail.example.org", "submission"},
        {"[::1]:25", true, "::1", "25"},
        {"[2001:db8::1]:smtps", true, "2001:db8::1", "smtps"},
        {"", false, "", ""},
        {"127.0.0.1:", false, "", ""},
        {"[::1]", false, "", ""},
        {"[::1]25", false, "", ""},
        {"[]:25", false, "", ""},
        {"[::1]:", false, "", ""},
        {"[::1", false, "", ""},
        {"::1:25", false, "", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct span host, port;
        const bool is_ok = endpoint_parse(span_from_string(rows[i].name), &host, &port);
        if (is_ok != rows[i].is_ok)
            fail_msg("\"%s\"", rows[i].name);
        if (is_ok) {
            assert_span_is(rows[i].name, host, rows[i].host);
            assert_span_is(rows[i].name, port, rows[i].port);
        }
    }
}

static void test_ports(void **state)
{
    (void)state;
    assert_int_equal(endpoint_port(SPAN("25")), 25);
    assert_int_equal(endpoint_port(SPAN("65535")), 65535);
    assert_int_equal(endpoint_port(SPAN("smtp")), 25);
    assert_int_equal(endpoint_port(SPAN("submission")), 587);
    assert_int_equal(endpoint_port(SPAN("0")), 0);
    assert_int_equal(endpoint_port(SPAN("65536")), 0);
    assert_int_equal(endpoint_port(SPAN("no-such-service-anywhere")), 0);
}

static void test_resolution(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *interfaces;
        bool uses_ipv4, uses_ipv6;
        const char *endpoints; /* joined with blanks; NULL: an error */
    } rows[] = {
        {"25", "all", true, true, "[::]:25 0.0.0.0:25"},
        {"25", "all", true, false, "0.0.0.0:25"},
        {"25", "all", false, true, "[::]:25"},
        {"25", "loopback-only", true, true, "127.0.0.1:25 [::1]:25"},
        {"smtp", "192.0.2.1, [2001:db8::1] 2001:db8::1", true, true,
         "192.0.2.1:25 [2001:db8::1]:25"},
        {"smtp", "2001:db8::1", true, false, NULL},
        {"127.0.0.1:2525", "all", true, true, "127.0.0.1:2525"},
        {"[::1]:2525", "all", true, true, "[::1]:2525"},
        {"[::1]:2525", "all", true, false, NULL},
        {"1.2.3.4.5.6.7.invalid:25", "all", true, true, NULL},
        {"nonsense:", "all", true, true, NULL},
        {"127.0.0.1:0", "all", true, true, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct endpoint endpoints[8];
        struct conf_error error = {""};
        const struct endpoint_rules rules = {span_from_string(rows[i].interfaces),
                                             rows[i].uses_ipv4, rows[i].uses_ipv6};
        const size_t count = endpoint_resolve(span_from_string(rows[i].name), &rules, endpoints,
                                              ARRAY_LENGTH(endpoints), &error);
        struct buffer joined;
        buffer_init(&joined, NULL, 1024);
        for (size_t j = 0; j < count; j++)
            buffer_append_format(&joined, "%s%s", j ? " " : "", endpoints[j].text);
        if (!rows[i].endpoints) {
            if (count != 0 || !error.text[0])
                fail_msg("%s, %s: no error", rows[i].name, rows[i].interfaces);
        } else {
            assert_span_is(rows[i].name, buffer_span(&joined), rows[i].endpoints);
        }
        buffer_release(&joined);
    }
}

/* ---- plans ---- */

struct place {
    char directory[64];
};

static void write_file(const char *directory, const char *name, const char *text, mode_t mode)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static const char *const files[] = {
    "main.cf", "master.cf", "logd",  "qmgr",    "addrd",  "dnsd", "smtpd",  "smtp",     "local",
    "virtual", "bounce",    "error", "discard", "limitd", "pipe", "lmtp",   "connectd", "verify",
    "pickup",  "stsd",      "authd", "reportd", "fetchd", "keyd", "submitd"};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    (void)snprintf(place->directory, sizeof(place->directory), "/tmp/posthouse-plan-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    for (size_t i = 2; i < ARRAY_LENGTH(files); i++)
        write_file(place->directory, files[i], "", 0755);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    char path[128];
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", place->directory, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(place->directory);
    free(place);
    return 0;
}

/* Configuration in, "name=program*processes" of each service out, in order; or the first error. */
static void describe(const struct place *place, const char *main_text, const char *master_text,
                     char *text, size_t size, size_t *remark_count)
{
    struct arena arena;
    struct conf_notices notices;
    char lines[512];
    (void)snprintf(lines, sizeof(lines),
                   "daemon_directory = %s\ndaemon_uid_base = 40000\ninet_protocols = ipv4\n%s",
                   place->directory, main_text);
    write_file(place->directory, "main.cf", lines, 0644);
    if (master_text)
        write_file(place->directory, "master.cf", master_text, 0644);
    arena_init(&arena, 1 << 20, 0);
    conf_notices_init(&notices, &arena);
    struct plan *plan = plan_create(place->directory, &notices);
    text[0] = '\0';
    *remark_count = 0;
    for (const struct conf_notice *notice = notices.first; notice; notice = notice->next) {
        if (notice->level == CONF_NOTICE_REMARK)
            ++*remark_count;
        if (notice->level == CONF_NOTICE_ERROR && !text[0])
            (void)snprintf(text, size, "%s", notice->text);
    }
    for (size_t i = 0; plan && i < plan->service_count; i++)
        (void)snprintf(text + strlen(text), size - strlen(text), "%s%.*s=%s*%zu", i ? " " : "",
                       SPAN_PRINTF(plan->services[i]->name), plan->services[i]->program->program,
                       plan->services[i]->process_count);
    plan_destroy(&plan);
    arena_destroy(&arena);
}

#define HELPERS "logd=logd*1 qmgr=qmgr*1 addrd=addrd*1 dnsd=dnsd*1 "

static void test_plans(void **state)
{
    static const struct {
        const char *name;
        const char *main_text;
        const char *master_text;
        const char *expected; /* the services, or the beginning of an error */
        size_t remark_count;
    } rows[] = {
        {"what is missing is added", "", "2525 inet n - y - 1 smtpd\n",
         HELPERS "2525=smtpd*1 bounce=bounce*1 limitd=limitd*1 connectd=connectd*1 pickup=pickup*1 "
                 "authd=authd*1 fetchd=fetchd*1 keyd=keyd*1",
         0},
        {"the rows of the wiring order it", "",
         "local unix - n n - - local\n2525 inet n - y - 1 smtpd\nqmgr unix n - n 300 1 qmgr\n",
         HELPERS "2525=smtpd*1 local=local*1 bounce=bounce*1 limitd=limitd*1 connectd=connectd*1 "
                 "pickup=pickup*1 "
                 "authd=authd*1 fetchd=fetchd*1 keyd=keyd*1",
         0},
        {"services of Postfix are left out", "",
         "2525 inet n - y - 1 smtpd\npickup unix n - y 60 1 pickup\n"
         "cleanup unix n - y - 0 cleanup\ntlsmgr unix - - y 1000? 1 tlsmgr\n"
         "bounce unix - - y - 0 bounce\ndefer unix - - y - 0 bounce\n"
         "trace unix - - y - 0 bounce\n",
         HELPERS "2525=smtpd*1 bounce=bounce*1 limitd=limitd*1 connectd=connectd*1 pickup=pickup*1 "
                 "authd=authd*1 fetchd=fetchd*1 keyd=keyd*1",
         4},
        {"two transports of one program", "",
         "smtp unix - - y - 1 smtp\nrelay unix - - y - 1 smtp\n  -o smtp_helo_timeout=5\n",
         HELPERS "smtp=smtp*1 relay=smtp*1 bounce=bounce*1 limitd=limitd*1 connectd=connectd*1 "
                 "pickup=pickup*1 "
                 "stsd=stsd*1 authd=authd*1 reportd=reportd*1 fetchd=fetchd*1 keyd=keyd*1",
         0},
        {"who connects comes with who needs it", "", "store unix - - y - 1 lmtp\n",
         HELPERS "bounce=bounce*1 limitd=limitd*1 store=lmtp*1 connectd=connectd*1 pickup=pickup*1 "
                 "authd=authd*1 fetchd=fetchd*1 keyd=keyd*1",
         0},
        {"a limit of processes", "default_process_limit = 1\n", "2525 inet n - y - - smtpd\n",
         HELPERS "2525=smtpd*1 bounce=bounce*1 limitd=limitd*1 connectd=connectd*1 pickup=pickup*1 "
                 "authd=authd*1 fetchd=fetchd*1 keyd=keyd*1",
         0},
        {"the later of two lines", "",
         "2525 inet n - y - 1 smtpd\n2525 inet n - y - 1 smtpd -o syslog_name=x\n",
         HELPERS "2525=smtpd*1 bounce=bounce*1 limitd=limitd*1 connectd=connectd*1 pickup=pickup*1 "
                 "authd=authd*1 fetchd=fetchd*1 keyd=keyd*1",
         0},
        {"smtpd behind a Unix socket", "", "smtpd unix n - y - 1 smtpd\n",
         HELPERS "smtpd=smtpd*1 bounce=bounce*1 limitd=limitd*1 connectd=connectd*1 "
                 "pickup=pickup*1 authd=authd*1 fetchd=fetchd*1 keyd=keyd*1",
         0},
        {"smtpd behind a private socket", "", "smtpd unix y - y - 1 smtpd\n",
         HELPERS "bounce=bounce*1 limitd=limitd*1 pickup=pickup*1", 1},
        {"an agent on the network", "", "2525 inet n - y - 1 local\n",
         HELPERS "bounce=bounce*1 limitd=limitd*1 pickup=pickup*1", 1},
        {"disabled", "master_service_disable = 2525/inet\n",
         "2525 inet n - y - 1 smtpd\n2526 inet n - y - 1 smtpd\n",
         HELPERS "2526=smtpd*1 bounce=bounce*1 limitd=limitd*1 connectd=connectd*1 pickup=pickup*1 "
                 "authd=authd*1 fetchd=fetchd*1 keyd=keyd*1",
         0},
        {"a command", "", "drop unix - n n - 10 pipe user=nobody argv=/bin/true ${recipient}\n",
         HELPERS "bounce=bounce*1 limitd=limitd*1 drop=pipe*1 pickup=pickup*1", 0},
        {"a command without a user", "", "drop unix - n n - 10 pipe argv=/bin/true\n", "", 0},
        {"a bad override", "", "2525 inet n - y - 1 smtpd -o smtpd_timeout=soon\n", "", 0},
        {"no such port", "", "no-such-port inet n - y - 1 smtpd\n",
         "service \"no-such-port\": no port", 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[1024];
        size_t remark_count;
        describe(*state, rows[i].main_text, rows[i].master_text, text, sizeof(text), &remark_count);
        if (!strstr(text, rows[i].expected) || !text[0])
            fail_msg("%s: got \"%s\"", rows[i].name, text);
        if (remark_count != rows[i].remark_count)
            fail_msg("%s: %zu remarks", rows[i].name, remark_count);
    }
}

static void test_no_master_cf(void **state)
{
    char text[1024];
    size_t remark_count;
    describe(*state, "default_process_limit = 1\n", NULL, text, sizeof(text), &remark_count);
    assert_string_equal(text, HELPERS
                        "smtp=smtpd*1 smtp=smtp*1 relay=smtp*1 local=local*1 "
                        "virtual=virtual*1 bounce=bounce*1 error=error*1 retry=error*1 "
                        "discard=discard*1 limitd=limitd*1 lmtp=lmtp*1 connectd=connectd*1 "
                        "verify=verify*1 pickup=pickup*1 "
                        "stsd=stsd*1 authd=authd*1 reportd=reportd*1 fetchd=fetchd*1 keyd=keyd*1 "
                        "submission=submitd*1 submissions=submitd*1");
}

static void test_no_program(void **state)
{
    const struct place *place = *state;
    char text[1024], path[128];
    size_t remark_count;
    (void)snprintf(path, sizeof(path), "%s/dnsd", place->directory);
    assert_int_equal(unlink(path), 0);
    describe(place, "", "2525 inet n - y - 1 smtpd\n", text, sizeof(text), &remark_count);
    assert_non_null(strstr(text, "dnsd: No such file"));
    assert_non_null(strstr(text, "daemon_directory"));
}

/* The list built in is the file that is installed. */
static void test_default_services(void **state)
{
    (void)state;
    struct arena arena;
    struct conf_notices notices;
    struct conf_master built_in, shipped;
    struct span text;
    char path[512];
    const char *top = getenv("top_srcdir");
    (void)snprintf(path, sizeof(path), "%s/conf/master.cf", top ? top : ".");
    arena_init(&arena, 4 << 20, 0);
    conf_notices_init(&notices, &arena);
    assert_int_equal(file_read_whole(AT_FDCWD, path, 1 << 20, &arena, &text), 0);
    assert_true(conf_master_parse(text, SPAN("master.cf"), &arena, &shipped, &notices));
    assert_true(conf_master_parse(span_from_string(plan_default_services), SPAN("built-in"), &arena,
                                  &built_in, &notices));
    assert_int_equal(notices.warning_count, 0);
    assert_int_equal(built_in.service_count, shipped.service_count);
    for (size_t i = 0; i < shipped.service_count; i++) {
        for (size_t column = 0; column < CONF_COLUMN_COUNT; column++)
            assert_true(span_equals(built_in.services[i].columns[column],
                                    shipped.services[i].columns[column]));
        assert_true(span_equals(built_in.services[i].program, shipped.services[i].program));
    }
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoint_names),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_resolution),
        cmocka_unit_test_setup_teardown(test_plans, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_no_master_cf, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_no_program, make_place, remove_place),
        cmocka_unit_test(test_default_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
