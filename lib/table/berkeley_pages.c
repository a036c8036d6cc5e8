/* table/berkeley_pages - see berkeley_pages.h. */
#include "table/berkeley_pages.h"

#include <db.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

/* Words of the first page. */
enum {
    MAGIC = 3,
    PAGE_SIZE = 5,
    LAST_PAGE = 8,
    LAST_BUCKET = 18,
    HIGHEST_BUCKET = 19, /* up to which there is room */
    FILL_FACTOR = 21,
    FIRST_SPARE = 24, /* how many pages other than buckets stand before those of a generation */
    SPARE_COUNT = 32,
    WORD_COUNT = FIRST_SPARE + SPARE_COUNT
};

enum { PAGE_HEADER_BYTES = 26, PAGE_SIZE_MIN_BYTES = 512 };

struct pages {
    uint32_t first[WORD_COUNT];
    uint64_t size_bytes; /* of each */
    /* Pages that may be empty, because no key has come there yet; none: first_empty is larger. */
    uint64_t first_empty, last_empty;
};

/* Of a hash table the pages of a generation of buckets have room at once, and are written one by
 * one as they come into use. The first two are there from the beginning, with nothing in them. */
static void find_empty(struct pages *pages)
{
    const uint32_t last = pages->first[LAST_BUCKET], highest = pages->first[HIGHEST_BUCKET];
    unsigned generation = 0;
    pages->first_empty = 1;
    pages->last_empty = 0;
    if (pages->first[MAGIC] != DB_HASHMAGIC)
        return;
    while (generation < SPARE_COUNT - 1 && highest >> generation != 0)
        generation++;
    const uint32_t before = pages->first[FIRST_SPARE + generation];
    pages->first_empty = last > 1 ? (uint64_t)last + 1 + before : 1;
    pages->last_empty = (uint64_t)highest + before;
}

/* Does a page that is to have something in it begin between these places? */
static bool lacks_page(const struct pages *pages, uint64_t begin, uint64_t end)
{
    uint64_t page = (begin + pages->size_bytes - 1) / pages->size_bytes;
    if (page >= pages->first_empty && page <= pages->last_empty)
        page = pages->last_empty + 1;
    return page <= pages->first[LAST_PAGE] && page * pages->size_bytes + PAGE_HEADER_BYTES <= end;
}

static bool has_holes(const struct pages *pages, int descriptor, off_t size_bytes)
{
    for (off_t end = 0; end < size_bytes;) {
        const off_t begin = lseek(descriptor, end, SEEK_HOLE);
        if (begin < 0 || begin >= size_bytes)
            return false; /* or nobody can say: not every file system knows of them */
        end = lseek(descriptor, begin, SEEK_DATA);
        if (end <= begin)
            end = size_bytes; /* up to the end */
        if (lacks_page(pages, (uint64_t)begin, (uint64_t)end))
            return true;
    }
    return false;
}

const char *berkeley_find_missing_page(int descriptor, off_t size_bytes)
{
    struct pages pages;
    const uint32_t *first = pages.first;

    if (pread(descriptor, pages.first, sizeof(pages.first), 0) != (ssize_t)sizeof(pages.first))
        return "it is cut off";
    /* One of a machine with another byte order is not looked at. */
    if (first[MAGIC] != DB_HASHMAGIC && first[MAGIC] != DB_BTREEMAGIC)
        return NULL;
    pages.size_bytes = first[PAGE_SIZE];
    if (pages.size_bytes < PAGE_SIZE_MIN_BYTES ||
        (uint64_t)size_bytes < ((uint64_t)first[LAST_PAGE] + 1) * pages.size_bytes)
        return "it is cut off";
    /* With a fill factor, which no postmap sets, there may be any number of buckets at first. */
    if (first[MAGIC] == DB_HASHMAGIC && first[FILL_FACTOR] != 0)
        return NULL;
    find_empty(&pages);
    return has_holes(&pages, descriptor, size_bytes)
               ? "pages are missing in it, as after a crash: build it again with postmap"
               : NULL;
}
