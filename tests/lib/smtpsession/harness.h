/* tests/lib/smtpsession/harness - sessions with everything around them in one process: a client's
 * socket, a queue manager that takes every message, a word on recipients. */
#ifndef TESTS_SMTPSESSION_HARNESS_H
#define TESTS_SMTPSESSION_HARNESS_H

#include "../../test.h"

#include <openssl/ssl.h>

#include "smtpserver/tables.h"
#include "conf/smtpd.h"
#include "smtpsession/session.h"
#include "system/stream.h"
#include "system/task.h"

enum { HARNESS_MESSAGES_MAX = 64, HARNESS_PATIENCE_MS = 20000 };

struct harness_message {
    struct span content; /* extents in order: header block, body */
    struct queue_envelope envelope;
};

struct harness {
    struct loop *loop;
    struct arena arena;
    struct maillog log;
    struct intake intake;
    struct ipc_channel *qmgr; /* the other end */
    struct smtpsession_service service;
    struct conf_smtpd conf;
    struct client_list *flush_domains;
    struct smtpserver_tables tables;
    struct tls_server *tls;
    struct harness_message messages[HARNESS_MESSAGES_MAX];
    size_t message_count;
    size_t abandoned_count;
    size_t granted_count;
    struct outcome commit_outcome; /* what qmgr answers */
    bool is_qmgr_silent;           /* it does not answer commits */
    void (*body)(struct harness *harness, void *argument);
    void *argument;
};

/* The next services have no certificate to show. */
extern bool harness_withholds_keys;

/* Runs body in a task, with a service of these settings (lines of main.cf beside those of
 * here.test), until it returns and every session has ended. */
void harness_run(const char *main_text, void (*body)(struct harness *harness, void *argument),
                 void *argument);

struct harness_client {
    struct harness *harness;
    struct stream stream;
};
/* A new session; address: of the client. */
void harness_connect(struct harness *harness, struct harness_client *client, const char *address);
void harness_send(struct harness_client *client, struct span bytes);
/* One line without its CRLF, copied to the harness's arena; NULL bytes when the connection ended.
 */
struct span harness_read_line(struct harness_client *client);
/* Expects a whole reply that begins so; where names the check. */
void harness_expect(struct harness_client *client, const char *where, const char *reply_start);
void harness_expect_close(struct harness_client *client, const char *where);
void harness_disconnect(struct harness_client *client);
/* The usual beginning: connect and EHLO; then a transaction up to the answer to DATA; the end. */
void harness_greet(struct harness *harness, struct harness_client *client, const char *address);
void harness_open_data(struct harness_client *client);
void harness_quit(struct harness_client *client);
/* The handshake, on a connection where it is the client's turn; context: NULL for one that trusts
 * anybody and shows nothing. False when it failed: the stream can only be closed. */
MUST_USE bool harness_shake_hands(struct harness_client *client, SSL_CTX *context);
/* As all clients say it; the reply to STARTTLS must be 220. */
void harness_start_tls(struct harness_client *client, SSL_CTX *context);
/* Signed by the issuer, or by itself where that is NULL. The caller frees it. */
X509 *harness_certificate(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key);
/* Parks until no session is left. */
void harness_wait_for_end(struct harness *harness);
/* Is there a log line with this text in it? */
bool harness_has_logged(struct harness *harness, const char *text);
/* Fails the test when not. */
void harness_expect_log(struct harness *harness, const char *text);

#endif
