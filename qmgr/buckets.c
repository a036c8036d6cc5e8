/* qmgr/buckets - see buckets.h. */
#include "buckets.h"

#include <stdlib.h>
#include <string.h>

static size_t position_of(const struct buckets *buckets, uint32_t number)
{
    size_t low = 0, high = buckets->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (buckets->list[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct bucket *buckets_find(const struct buckets *buckets, uint32_t number)
{
    const size_t position = position_of(buckets, number);
    return position < buckets->count && buckets->list[position].number == number
               ? &buckets->list[position]
               : NULL;
}

struct bucket *buckets_add(struct buckets *buckets, uint32_t number, uint64_t due_us)
{
    struct bucket *known = buckets_find(buckets, number);
    if (known) {
        if (due_us < known->not_before_us)
            due_us = known->not_before_us;
        if (due_us < known->due_us)
            known->due_us = due_us;
        return known;
    }
    if (buckets->count == buckets->capacity) {
        const size_t capacity = buckets->capacity * 2 + 64;
        struct bucket *list = realloc(buckets->list, capacity * sizeof(*list));
        if (!list)
            return NULL; /* the directory is found again at the next start */
        buckets->list = list;
        buckets->capacity = capacity;
    }
    const size_t position = position_of(buckets, number);
    struct bucket *bucket = &buckets->list[position];
    memmove(bucket + 1, bucket, (buckets->count - position) * sizeof(*bucket));
    buckets->count++;
    *bucket = (struct bucket){.number = number, .due_us = due_us};
    return bucket;
}

void buckets_drop(struct buckets *buckets, uint32_t number)
{
    struct bucket *bucket = buckets_find(buckets, number);
    if (!bucket)
        return;
    buckets->count--;
    const size_t position = (size_t)(bucket - buckets->list);
    memmove(bucket, bucket + 1, (buckets->count - position) * sizeof(*bucket));
}

void buckets_flush(struct buckets *buckets)
{
    for (size_t i = 0; i < buckets->count; i++) {
        buckets->list[i].due_us = 0;
        buckets->list[i].haste = LOAD_FLUSHED;
    }
}

struct bucket *buckets_earliest(const struct buckets *buckets)
{
    struct bucket *found = NULL;
    for (size_t i = 0; i < buckets->count; i++)
        if (!found || buckets->list[i].due_us < found->due_us)
            found = &buckets->list[i];
    return found;
}

void bucket_begin_look(struct bucket *bucket)
{
    bucket->due_us = UINT64_MAX;
    bucket->haste = LOAD_WHEN_DUE;
    bucket->not_before_us = 0;
}

void bucket_end_look(struct bucket *bucket, uint64_t not_before_us)
{
    bucket->not_before_us = not_before_us;
    if (bucket->due_us < not_before_us && bucket->haste == LOAD_WHEN_DUE)
        bucket->due_us = not_before_us;
}

void bucket_resume(struct bucket *bucket, enum load_haste haste)
{
    /* A flush that came meanwhile waits for nothing. */
    if (bucket->haste == LOAD_WHEN_DUE)
        bucket->due_us = bucket->not_before_us;
    if (bucket->haste < haste)
        bucket->haste = haste;
}
