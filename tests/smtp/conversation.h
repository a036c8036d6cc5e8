/* tests/smtp/conversation - tables of conversations: what servers do by their scripts, and what has
 * to become of each recipient. */
#ifndef TESTS_SMTP_CONVERSATION_H
#define TESTS_SMTP_CONVERSATION_H

#include "../test.h"

#include "world.h"

#define SMALL "Subject: x\r\n\r\nbody\r\n"
#define HELLO "S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\nS 250-PIPELINING\nS 250 8BITMIME\n"
#define HELLO_PLAIN "S 220 h0\nC EHLO client.test\nS 250 h0\n"
#define MAIL_OK "C MAIL FROM:<s@client.test>\nS 250 2.1.0 Ok\n"
#define RCPT_OK(who) "C RCPT TO:<" who ">\nS 250 2.1.5 Ok\n"
#define DATA_OK "C DATA\nS 354 go\nD\nS 250 2.0.0 Ok: queued as 1\n"

struct row {
    const char *name;
    const char *mx;
    const char *recipients; /* NULL: a@d.test */
    const char *scripts[WORLD_SERVERS];
    /* For each recipient, in order of index: "kind class.subject.detail text", the text being in
     * the reason; kind + - !. */
    const char *results[4];
    const char *log[3]; /* lines hold these */
    bool has_site_failure;
    const char *nexthop; /* NULL: a domain made of the name */
};

/* In a world that has started. */
void conversation_run(struct world *world, const struct row *rows, size_t count);

struct conversation {
    const char *settings; /* further lines of main.cf */
    bool speaks_lmtp;
    const struct row *rows;
    size_t row_count;
};

/* A whole test program: all rows in one world. To be returned from main(). */
int conversation_main(const struct conversation *played);

#endif
