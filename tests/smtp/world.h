/* tests/smtp/world - everything around smtp, in one test process: master, qmgr, dnsd, stsd, keyd
 * and mail servers at addresses of loopback that do what a script says.
 *
 * A script is lines; each connection to a server runs the next of its scripts (the last again):
 *   S text     send a line            s text    the same, one byte at a time
 *   L a|b^c    send lines in one packet; ^ is a NUL
 *   M          send a thousand lines "250-..."
 *   C text     read a line, which must begin so (the end of the line may be left out)
 *   D          read content up to the lone dot
 *   B n        read content of n bytes
 *   X          close                  R         close with a reset
 *   H          close for sending only, and go on reading
 *   W ms       wait                   G         send a line without end
 *   E          the client must close without another word
 *   T word     shake hands with what certificates.h calls so; "T - word": and it must fail
 *   =          the end of a script; another follows
 * At the end of a script the client may say QUIT, and must close. */
#ifndef TESTS_SMTP_WORLD_H
#define TESTS_SMTP_WORLD_H

#include "../daemon.h"
#include "queuefile/envelope.h"

enum { WORLD_SERVERS = 4, WORLD_RESULTS_MAX = 300, WORLD_CONTENT_MAX_BYTES = 4 << 20 };

struct world_result {
    uint32_t index;
    struct outcome outcome; /* texts live in the world's arena */
    struct span remote;
    struct span diagnostic;
};

struct world_server {
    struct world *world;
    struct event event;
    int listener;       /* -1: nobody listens */
    const char *script; /* not run yet; NULL: any connection is a mistake */
    const char *last_script;
    size_t connection_count;
    struct buffer content; /* as received, last message */
};

struct world {
    struct loop *loop;
    struct daemon smtp;
    struct arena arena;
    uint16_t port;
    struct ipc_channel *qmgr;
    struct ipc_channel *dnsd;
    struct ipc_channel *addrd;
    struct ipc_channel *stsd;
    struct ipc_channel *keyd;
    const char *policies; /* what addrd has in the tables of agents: lines "key value", or NULL */
    struct world_server servers[WORLD_SERVERS]; /* hN.test, 127.0.1.N */
    const char *mx; /* what dnsd says: "10 h0 20 h1", "none", "nxdomain", "temporary", "null" */
    /* Under DNSSEC: what is vouched for, and the TLSA records of h0.test. */
    bool is_mx_secure, is_host_secure, is_tlsa_secure, is_tlsa_lost;
    uint8_t tlsa[4][2048]; /* as in a record */
    size_t tlsa_length[4];
    const char *sts; /* the MTA-STS policy of every domain; NULL: there is none */
    bool is_acknowledging;
    uint64_t delivery_number;
    uint32_t capacity;
    size_t open_scripts;
    /* The last delivery. */
    struct world_result results[WORLD_RESULTS_MAX];
    size_t result_count;
    size_t report_count;
    bool is_over;
    bool has_site_failure;
    struct outcome site;
    bool is_corrupt;
    bool has_connection;
    char complaint[512]; /* of a server: the first thing that did not go by its script */
};

/* settings: further lines of main.cf. */
MUST_USE bool world_start(struct world *world, const char *settings);
/* The same with lmtp in the place of smtp. */
MUST_USE bool world_start_lmtp(struct world *world, const char *settings);
void world_stop(struct world *world);

struct world_order {
    const char *queue_id;
    const char *nexthop;
    const char *sender;
    const char *recipients; /* separated by spaces */
    struct span content;
    uint32_t facts; /* QUEUE_FACT_ */
    uint32_t longest_line;
    uint32_t flags;  /* QUEUE_FLAG_ */
    bool is_damaged; /* the digest is another one's */
    uint32_t notify;
};
/* Sends the order; the content is cut into two extents, in reverse order in the file. */
void world_deliver(struct world *world, const struct world_order *order);
/* Runs until the delivery is over and all scripts have come to their end, or too long. */
MUST_USE bool world_wait(struct world *world);
/* Waits for a line of smtp's log with that text: lines leave in batches. */
MUST_USE bool world_has_logged(struct world *world, const char *text);
/* Runs for some time. */
void world_run(struct world *world, int64_t timeout_ms);
/* Another qmgr in the place of the first. */
void world_replace_qmgr(struct world *world);

#endif
