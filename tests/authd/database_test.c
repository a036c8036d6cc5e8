/* tests/authd/database - what a database says of a user, also when it is written meanwhile. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../authd/database.h"
#include "../test.h"

static char path[] = "/tmp/posthouse-database-XXXXXX/users";
enum { DIRECTORY_LENGTH = sizeof(path) - sizeof("/users") };

static int make_directory(void **state)
{
    (void)state;
    path[DIRECTORY_LENGTH] = '\0';
    const bool is_made = mkdtemp(path) != NULL;
    path[DIRECTORY_LENGTH] = '/';
    return is_made ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    (void)unlink(path);
    path[DIRECTORY_LENGTH] = '\0';
    return rmdir(path);
}

/* In place; its age stays, so that it is not read anew before that has to be. */
static void write_users(const char *text)
{
    struct stat before = {.st_mtim = {.tv_sec = 1000000}};
    (void)stat(path, &before);
    const int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, strlen(text)), strlen(text));
    const struct timespec times[2] = {before.st_mtim, before.st_mtim};
    assert_int_equal(futimens(descriptor, times), 0);
    assert_int_equal(close(descriptor), 0);
}

static void check(struct database *database, const char *password, struct arena *arena,
                  struct database_answer *answer)
{
    const struct credential_question question = {.user = SPAN("box"),
                                                 .password = span_from_string(password),
                                                 .service = SPAN("smtp"),
                                                 .client_address = SPAN("192.0.2.1")};
    database_check(database, &question, arena, answer);
}

/* Who the user is, and which of the passwords it was, is what was found, whatever the file says
 * when the stored password is made stronger. */
static void test_upgrade(void **state)
{
    (void)state;
    const struct conf_authd conf = {.auth_default_scheme = SPAN("PLAIN"),
                                    .auth_password_upgrade = SPAN("SSHA256")};
    struct conf_authd settings = conf;
    static struct database databases[DATABASES_MAX]; /* what they open they keep, as in authd */
    struct database_answer answer;
    struct arena arena;
    struct span bad_word;
    size_t count;
    arena_init(&arena, 1 << 20, 0);
    const struct span word = arena_format(&arena, "passwd-file:%s", path);
    assert_non_null(word.bytes);
    settings.auth_databases = word;
    assert_true(database_list_parse(&settings, &arena, databases, &count, &bad_word));
    write_users(
        "first:x::::::\nbox:{PLAIN}secret::::::user=alice app_password=phone//{PLAIN}other\n");
    check(&databases[0], "wrong", &arena, &answer);
    assert_int_equal(answer.result, CREDENTIAL_MISMATCH);
    write_users(
        "box:{PLAIN}secret::::::user=carol app_password=phone//{PLAIN}other\nfirst:x::::::\n");
    check(&databases[0], "other", &arena, &answer);
    assert_int_equal(answer.result, CREDENTIAL_MATCH);
    assert_true(answer.is_upgraded);
    assert_span_is("user", answer.user, "alice");
    assert_span_is("app password", answer.name, "phone");
    check(&databases[0], "other", &arena, &answer);
    assert_int_equal(answer.result, CREDENTIAL_MATCH);
    assert_false(answer.is_upgraded);
    assert_span_is("user", answer.user, "carol");
    arena_destroy(&arena);
}

/* What an unknown user costs is what somebody with a password costs, not somebody without. */
static void test_model(void **state)
{
    (void)state;
    struct conf_authd settings = {.auth_default_scheme = SPAN("CRYPT")};
    const struct credential_question question = {.user = SPAN("nobody"),
                                                 .password = SPAN("secret"),
                                                 .service = SPAN("smtp"),
                                                 .client_address = SPAN("192.0.2.1")};
    static struct database databases[DATABASES_MAX]; /* what they open they keep, as in authd */
    struct database_answer answer;
    struct arena arena;
    struct span bad_word;
    size_t count;
    arena_init(&arena, 1 << 20, 0);
    const struct span word = arena_format(&arena, "passwd-file:%s", path);
    assert_non_null(word.bytes);
    settings.auth_databases = word;
    assert_true(database_list_parse(&settings, &arena, databases, &count, &bad_word));
    assert_false(database_spend_time(&databases[0], &question));
    write_users("box:!locked\nempty:\nodd:{NOVELTY}x\nann:{PLAIN}model\nbob:{PLAIN}other\n");
    database_check(&databases[0], &question, &arena, &answer);
    assert_int_equal(answer.result, CREDENTIAL_UNKNOWN);
    assert_span_is("model", databases[0].model, "{PLAIN}model");
    assert_true(database_spend_time(&databases[0], &question));
    check(&databases[0], "secret", &arena, &answer);
    assert_int_equal(answer.result, CREDENTIAL_MISMATCH);
    assert_span_is("model", databases[0].model, "{PLAIN}model");
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_upgrade),
                                       cmocka_unit_test(test_model)};
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
