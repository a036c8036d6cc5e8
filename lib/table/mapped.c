/* table/mapped - see mapped.h. */
#include "table/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool mapped_create(struct table *table, struct span argument, size_t state_size, const char *suffix)
{
    struct mapped *mapped = arena_alloc(&table->arena, state_size);
    const struct span file =
        arena_format(&table->arena, "%.*s%s%c", SPAN_PRINTF(argument), suffix, '\0');

    table->state = mapped;
    if (!mapped || !file.bytes)
        return false;
    table->file = (const char *)file.bytes;
    mapped->descriptor = -1;
    return true;
}

void mapped_close(struct table *table, const struct mapped_kind *kind)
{
    struct mapped *mapped = table->state;
    if (!mapped)
        return;
    kind->close(table);
    if (mapped->descriptor >= 0)
        (void)close(mapped->descriptor); /* only read */
    mapped->descriptor = -1;
}

static bool is_current(struct table *table, const struct mapped *mapped)
{
    struct stat status;
    if (table_was_checked(table))
        return true;
    if (stat(table->file, &status) != 0)
        return false;
    const struct file_identity now = file_identity_of(&status);
    if (!file_identity_equals(&mapped->identity, &now))
        return false;
    table_note_checked(table);
    return true;
}

enum table_result mapped_acquire(struct table *table, const struct mapped_kind *kind)
{
    struct mapped *mapped = table->state;
    struct stat status;

    if (mapped->descriptor >= 0 &&
        (table->options.flags & TABLE_STAY_OPEN || is_current(table, mapped)))
        return TABLE_FOUND;
    mapped_close(table, kind);
    mapped->descriptor = open(table->file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (mapped->descriptor < 0 || fstat(mapped->descriptor, &status) != 0 ||
        !S_ISREG(status.st_mode)) {
        table_fail(table, "open database %s: %s", table->file,
                   mapped->descriptor < 0 ? strerror(errno) : "not a regular file");
    } else {
        mapped->identity = file_identity_of(&status);
        if (kind->open(table))
            return TABLE_FOUND;
    }
    mapped_close(table, kind);
    return TABLE_ERROR;
}

enum table_result mapped_lookup(struct table *table, struct span key, struct buffer *value,
                                enum table_result (*get)(struct table *table, struct span key,
                                                         struct buffer *value))
{
    const unsigned flags = table->options.flags;
    const size_t before = value->length;
    uint8_t with_nul[TABLE_KEY_MAX_BYTES + 1];
    enum table_result result = TABLE_NOT_FOUND;

    if (!(flags & TABLE_WITHOUT_NUL) || (flags & TABLE_WITH_NUL)) {
        if (key.length)
            memcpy(with_nul, key.bytes, key.length);
        with_nul[key.length] = '\0';
        result = get(table, span_of(with_nul, key.length + 1), value);
        if (result == TABLE_FOUND && value->length > before &&
            value->bytes[value->length - 1] == '\0')
            value->length--;
    }
    if (result == TABLE_NOT_FOUND && !(flags & TABLE_WITH_NUL))
        result = get(table, key, value);
    return result;
}
