/* qmgr/capacity - see capacity.h. */
#include "capacity.h"

enum { LEAST = 256, MOST = 32768 };

size_t capacity_to_give(uint32_t said, size_t active_limit)
{
    size_t bound = active_limit / 2;
    if (bound < LEAST)
        bound = LEAST;
    if (bound > MOST)
        bound = MOST;
    return said < bound ? said : bound;
}
