/* tests/lib/dnswire/message - build DNS answers for tests from readable rows. */
#ifndef TESTS_LIB_DNSWIRE_MESSAGE_H
#define TESTS_LIB_DNSWIRE_MESSAGE_H

#include "base/buffer.h"
#include "dnswire/query.h"

enum { IN_ANSWER, IN_AUTHORITY, IN_ADDITIONAL };

struct test_record {
    unsigned section;
    const char *owner; /* NULL ends a list */
    uint16_t type;
    uint32_t ttl;
    const char *data; /* as in a zone file; for SOA the minimum; "#hex" for raw bytes */
};

struct test_message {
    const char *question;
    uint16_t type;
    uint16_t flags; /* of the header, response code included */
    const struct test_record *records;
};

/* Writes the message; names that stood before are compressed. */
void test_message_build(const struct test_message *row, struct buffer *message);

#endif
