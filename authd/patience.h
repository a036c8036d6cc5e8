/* authd/patience - when a refusal is answered. Counted from what the client said last, and in
 * steps: how long it took to find out tells in which database a user is, or that he is in none, and
 * what is stored of him. Pure. Callers: authd/exchange, the tests. */
#ifndef AUTHD_PATIENCE_H
#define AUTHD_PATIENCE_H

#include <stdint.h>

#include "base/compiler.h"

/* delay_ms: how long refusals are held back; 0: they are not. */
MUST_USE int64_t patience_answer_ms(int64_t asked_ms, int64_t now_ms, int64_t delay_ms);

#endif
