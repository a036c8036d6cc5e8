/* local/biff - see biff.h. */
#include "biff.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { COMSAT_PORT = 512, TEXT_MAX_BYTES = 1100 };

int biff_open(void)
{
    const struct sockaddr_in comsat = {.sin_family = AF_INET,
                                       .sin_port = htons(COMSAT_PORT),
                                       .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0 ||
        connect(descriptor, (const struct sockaddr *)&comsat, sizeof(comsat)) == 0)
        return descriptor;
    (void)close(descriptor);
    return -1;
}

/* "user@offset" and a NUL. */
void biff_tell(int descriptor, struct span user, uint64_t offset)
{
    char text[TEXT_MAX_BYTES];
    const int length =
        snprintf(text, sizeof(text), "%.*s@%llu", SPAN_PRINTF(user), (unsigned long long)offset);
    if (descriptor >= 0 && length > 0 && (size_t)length < sizeof(text))
        (void)!write(descriptor, text, (size_t)length + 1);
}
