/* dnswire/answer - what a DNS answer says about one question, and how long that holds.
 * Interface: dns_answer_parse(). Pure.
 * Callers: dnsd, the fuzzer; lib/dns hands the same structures to its callers.
 *
 * Found, no such data, no such name and "cannot say" are kept strictly apart: mail for a domain
 * that does not exist is returned at once, mail for one whose servers are silent waits. */
#ifndef DNSWIRE_ANSWER_H
#define DNSWIRE_ANSWER_H

#include "base/arena.h"
#include "dnswire/query.h"

enum dns_status {
    DNS_FOUND,        /* at least one record of the type asked for */
    DNS_NO_DATA,      /* the name exists without such records (RFC 2308 section 2.2) */
    DNS_NO_SUCH_NAME, /* NXDOMAIN (RFC 2308 section 2.1) */
    DNS_TEMPORARY     /* nothing is known: ask again later */
};

/* Why a status is temporary. */
enum dns_failure {
    DNS_FAILURE_NONE,
    DNS_FAILURE_SERVER, /* SERVFAIL: also what a validating resolver says to forged data */
    DNS_FAILURE_REFUSED,
    DNS_FAILURE_FORMAT, /* FORMERR */
    DNS_FAILURE_OTHER_CODE,
    DNS_FAILURE_TRUNCATED,
    DNS_FAILURE_MALFORMED,
    DNS_FAILURE_MISMATCH,  /* not an answer to this question */
    DNS_FAILURE_REFERRAL,  /* from a server that does not resolve for us */
    DNS_FAILURE_CHAIN,     /* a chain of aliases that is a loop or too long */
    DNS_FAILURE_TOO_MUCH,  /* past the limits below */
    DNS_FAILURE_TIMEOUT,   /* nobody answered */
    DNS_FAILURE_RESOURCES, /* memory, sockets, a queue of ours that is full */
    DNS_FAILURE_HELPER,    /* dnsd is not there */
    DNS_FAILURE_COUNT
};

enum {
    DNS_CHAIN_MAX_ALIASES = 16,
    DNS_ANSWER_MAX_RECORDS = 512,
    DNS_TTL_MAX_S = 7 * 24 * 3600 /* RFC 8767 section 4: longer is a mistake */
};

/* One record; fields that its type does not have are zero. Names are text without final dot. */
struct dns_record {
    uint16_t type;
    uint16_t priority;  /* MX preference, SRV priority */
    uint16_t weight;    /* SRV */
    uint16_t port;      /* SRV */
    struct span target; /* MX exchange, PTR, CNAME and SRV target; "." is the root */
    struct span data;   /* A: 4 bytes; AAAA: 16; TXT: the strings joined; TLSA: association data */
    uint8_t tlsa_usage;
    uint8_t tlsa_selector;
    uint8_t tlsa_matching_type;
};

struct dns_answer {
    enum dns_status status;
    enum dns_failure failure; /* DNS_FAILURE_NONE unless temporary */
    bool has_open_end;     /* no data, but only an alias whose target was left out: ask for that */
    bool is_authenticated; /* the resolver says it validated; worth what the way to it is */
    uint32_t ttl_s;        /* of all that was used; of the absence where there is nothing */
    struct span canonical_name; /* where the chain of aliases ended */
    struct dns_record *records;
    size_t record_count;
};

/* Reads a message as the answer to the question. Never fails: what cannot be understood is
 * temporary. Text and records come from the arena, and running out of it is temporary too. */
void dns_answer_parse(struct span message, const struct dns_question *question, struct arena *arena,
                      struct dns_answer *answer);

/* Makes a temporary answer. */
struct dns_answer dns_answer_failed(enum dns_failure failure);
/* The end of the sentence "Name service error for name=X type=Y: ", in the words that log readers
 * know from Postfix; a literal. */
MUST_USE const char *dns_answer_reason(const struct dns_answer *answer);
/* What exactly was temporary, for our own log: "server failure", "timeout" ...; a literal. */
MUST_USE const char *dns_failure_name(enum dns_failure failure);
/* The failure of that name; DNS_FAILURE_NONE when there is none. */
MUST_USE enum dns_failure dns_failure_from_name(struct span name);

#endif
