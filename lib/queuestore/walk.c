/* queuestore/walk - see walk.h. */
#include "queuestore/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

#include "system/file.h"

/* For an envelope and a journal of the greatest size, and the recipients decoded. */
enum { WALK_ARENA_BYTES = 128 << 20 };

struct walk {
    const struct store *store;
    uint32_t *buckets;
    size_t bucket_count;
    size_t step; /* 0: new/; then a step for each bucket; then hold/ */
    bool has_begun;
    DIR *directory;
    struct walk_message page[WALK_PAGE_MESSAGES];
    size_t page_count;
    bool is_end;
};

struct walk *walk_create(const struct store *store)
{
    struct walk *walk = calloc(1, sizeof(*walk));
    if (walk)
        walk->store = store;
    return walk;
}

static void drop_page(struct walk *walk)
{
    for (size_t i = 0; i < walk->page_count; i++)
        arena_destroy(&walk->page[i].arena);
    walk->page_count = 0;
}

void walk_destroy(struct walk **walk)
{
    if (!*walk)
        return;
    drop_page(*walk);
    if ((*walk)->directory)
        (void)closedir((*walk)->directory);
    free((*walk)->buckets);
    free(*walk);
    *walk = NULL;
}

static int compare_buckets(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static DIR *open_below(int parent, const char *name)
{
    const int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    if (!directory)
        file_close(descriptor);
    return directory;
}

static void list_buckets(struct walk *walk)
{
    DIR *directory = open_below(walk->store->queue, "deferred");
    size_t capacity = 0;
    uint32_t number;
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (!queue_bucket_parse(span_from_string(entry->d_name), &number) || number == 0)
            continue;
        if (walk->bucket_count == capacity) {
            capacity = capacity * 2 + 64;
            uint32_t *buckets = realloc(walk->buckets, capacity * sizeof(*buckets));
            if (!buckets)
                break;
            walk->buckets = buckets;
        }
        walk->buckets[walk->bucket_count++] = number;
    }
    (void)closedir(directory);
    if (walk->bucket_count)
        qsort(walk->buckets, walk->bucket_count, sizeof(*walk->buckets), compare_buckets);
}

static DIR *open_step(const struct walk *walk)
{
    if (walk->step == 0)
        return open_below(walk->store->queue, "new");
    if (walk->step <= walk->bucket_count) {
        char name[QUEUE_BUCKET_NAME_BYTES + 1];
        queue_bucket_name(walk->buckets[walk->step - 1], name);
        return open_below(walk->store->deferred, name);
    }
    return open_below(walk->store->queue, "hold");
}

static void read_one(struct walk *walk, const char *name)
{
    struct walk_message *read = &walk->page[walk->page_count];
    const struct span id = span_from_string(name);
    if (!queue_id_is_valid(id))
        return;
    *read = (struct walk_message){.is_held = walk->step > walk->bucket_count};
    if (walk->step > 0 && !read->is_held)
        read->place.bucket = walk->buckets[walk->step - 1];
    memcpy(read->place.queue_id, name, id.length + 1);
    read->place.is_held = read->is_held;
    arena_init(&read->arena, WALK_ARENA_BYTES, 0);
    if (store_load(walk->store, &read->place, true, false, &read->arena, &read->message) ==
        STORE_LOADED)
        walk->page_count++;
    else
        arena_destroy(&read->arena); /* gone meanwhile, or for qmgr to judge */
}

void walk_read_page(struct walk *walk)
{
    drop_page(walk);
    if (!walk->has_begun) {
        list_buckets(walk);
        walk->directory = open_step(walk);
        walk->has_begun = true;
    }
    while (walk->page_count < WALK_PAGE_MESSAGES && !walk->is_end) {
        struct dirent *entry = walk->directory ? readdir(walk->directory) : NULL;
        if (entry) {
            read_one(walk, entry->d_name);
            continue;
        }
        if (walk->directory)
            (void)closedir(walk->directory);
        walk->directory = NULL;
        walk->is_end = walk->step > walk->bucket_count;
        walk->step++;
        if (!walk->is_end)
            walk->directory = open_step(walk);
    }
}

struct walk_message *walk_page(struct walk *walk, size_t *count)
{
    *count = walk->page_count;
    return walk->page;
}

bool walk_is_at_end(const struct walk *walk)
{
    return walk->is_end;
}
