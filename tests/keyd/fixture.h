/* tests/keyd/fixture - a keyd within the test's process, with a directory for its keys.
 * Callers: tests/keyd/keyd_test, turns_test. */
#ifndef TESTS_KEYD_FIXTURE_H
#define TESTS_KEYD_FIXTURE_H

#include "../../keyd/serve.h"

extern char directory[64];
extern struct loop *loop;
extern struct maillog logged;
extern struct arena settings;
extern struct vault vault;
extern struct key_server server;

/* For cmocka: the directory and the loop; the end of all. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);
/* The setting of one service as master writes it; from settings. */
struct span fixture_setting(const char *service, const char *value);
/* With chains of smtpd's service "smtp" and of smtp's "relay", and tables of the former. */
void fixture_start(const char *smtpd_chains, const char *smtp_chains, const char *tables);

#endif
