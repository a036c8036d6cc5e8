/* tests/local/identity - a dispatcher that has been taken over can ask for any worker: what it gets
 * is the user of that name, a table's owner, or nobody. */
#include "../test.h"

#include <unistd.h>

#include "../../local/identity.h"

/* As worker.c has it; what it says is not looked at here. */
void worker_refuse(struct worker_identity *identity, enum outcome_kind kind, uint16_t subject,
                   uint16_t detail, const char *format, ...)
{
    (void)format;
    identity->rules.is_refusing = true;
    identity->rules.refusal = outcome_make(kind, 451, subject, detail, SPAN("refused"));
}

bool deliverer_set_quota(struct deliverer_rules *rules, struct span quota, struct span code)
{
    (void)rules;
    (void)code;
    return span_is_empty(quota);
}

enum commit_policy commit_policy_from_name(struct span name)
{
    (void)name;
    return COMMIT_AUTO;
}

static void keys(void **state)
{
    static const struct {
        const char *key;
        bool is_refused;
        bool is_nobody;
    } rows[] = {
        {"u../../etc/passwd", false, true},
        {"uno-such-user-here", false, true},
        {"u", false, true},
        {"u0", false, true}, /* a name, never a uid */
        {"", false, true},
        {"unobody", false, false},
        {"a0", false, false},
        {"a1", true, false},
        {"a99999999999999999999999", true, false},
        {"a-1", true, false},
        {"a0x", true, false},
        {"a", false, false}, /* the first table */
    };
    struct conf_local settings = {.alias_maps = SPAN("inline:{a=b}"),
                                  .default_privs = SPAN("nobody"),
                                  .home_mailbox = SPAN("Maildir/"),
                                  .mail_spool_directory = SPAN("/var/mail"),
                                  .allow_mail_to_files = SPAN("alias")};
    struct service service = {.settings = &settings};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct worker_identity *identity = test_calloc(1, sizeof(*identity));
        arena_init(&identity->arena, 1 << 20, 0);
        local_identify(identity, span_from_string(rows[i].key), &service);
        if (identity->rules.is_refusing != rows[i].is_refused ||
            identity->is_unprivileged != rows[i].is_nobody)
            fail_msg("\"%s\": %d %d", rows[i].key, identity->rules.is_refusing,
                     identity->is_unprivileged);
        if (!identity->rules.is_refusing && !identity->is_unprivileged && geteuid() == 0)
            assert_int_not_equal(identity->uid, 0);
        arena_destroy(&identity->arena);
        test_free(identity);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
