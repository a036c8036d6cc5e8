/* tests/keyd/fixture - see fixture.h. */
#include "../test.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "fixture.h"

char directory[64];
struct loop *loop;
struct maillog logged;
struct arena settings;
struct vault vault;
struct key_server server;

int fixture_set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(directory, sizeof(directory), "/tmp/posthouse-keyd-test.XXXXXX");
    assert_non_null(mkdtemp(directory));
    loop = loop_create();
    return loop ? 0 : -1;
}

struct span fixture_setting(const char *service, const char *value)
{
    const struct span text = arena_format(&settings, "%s\x1f%s\x1e", service, value);
    assert_non_null(text.bytes);
    return text;
}

void fixture_start(const char *smtpd_chains, const char *smtp_chains, const char *tables)
{
    struct conf_keyd conf;
    memset(&conf, 0, sizeof(conf));
    arena_init(&settings, 65536, 0);
    conf.smtpd_tls_chain_files = fixture_setting("smtp", smtpd_chains);
    conf.smtp_tls_chain_files = fixture_setting("relay", smtp_chains);
    conf.tls_server_sni_maps = fixture_setting("smtp", tables);
    maillog_init(&logged, 1 << 20, NULL, NULL);
    assert_true(vault_load(&vault, &conf, &logged, NULL));
    key_server_init(&server, loop, &logged, &vault, 3600000);
}

int fixture_tear_down(void **state)
{
    char command[100];
    (void)state;
    key_server_end(&server);
    vault_destroy(&vault);
    maillog_release(&logged);
    arena_destroy(&settings);
    loop_destroy(&loop);
    (void)snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}
