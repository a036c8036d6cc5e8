/* ipc/message - see message.h. */
#include "ipc/message.h"

#include "base/map.h"

#define IPC_PRESENCE_REQUIRED true
#define IPC_PRESENCE_OPTIONAL false

/* clang-format off */
/* For each message a function that owns the table of its fields: a function, because offsetof()
 * needs the structure's name and a local typedef can give each the same one. */
#define IPC_MESSAGE(lower, upper, number, version)                                                 \
    static const struct ipc_field *fields_of_##lower(void)                                         \
    {                                                                                              \
        typedef struct ipc_##lower current;                                                        \
        static const struct ipc_field fields[] = {
#define IPC_FIELD(tag, name, type, presence, maximum)                                              \
            {tag, IPC_PRESENCE_##presence, IPC_FIELD_##type, maximum, offsetof(current, name), #name},
#define IPC_END                                                                                    \
            {0, false, IPC_FIELD_U32, 0, 0, NULL}};                                                \
        return fields;                                                                             \
    }
#include "ipc/schema.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END

static struct ipc_description descriptions[] = {
#define IPC_MESSAGE(lower, upper, number, version)                                                 \
    {number, version, #upper, sizeof(struct ipc_##lower), NULL},
#define IPC_FIELD(tag, name, type, presence, maximum)
#define IPC_END
#include "ipc/schema.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END
};

static const struct ipc_field *(*const field_functions[])(void) = {
#define IPC_MESSAGE(lower, upper, number, version) fields_of_##lower,
#define IPC_FIELD(tag, name, type, presence, maximum)
#define IPC_END
#include "ipc/schema.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END
};

static const char schema_text[] =
#define IPC_MESSAGE(lower, upper, number, version) #lower #number #version
#define IPC_FIELD(tag, name, type, presence, maximum) #tag #name #type #presence #maximum
#define IPC_END
#include "ipc/schema.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END
    "";
/* clang-format on */

enum { NUMBER_LIMIT = 512 };
static const struct ipc_description *by_number[NUMBER_LIMIT];
static bool is_filled;

static void fill(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(descriptions); i++) {
        ASSERT(descriptions[i].number < NUMBER_LIMIT && !by_number[descriptions[i].number]);
        descriptions[i].fields = field_functions[i]();
        by_number[descriptions[i].number] = &descriptions[i];
    }
    is_filled = true;
}

const struct ipc_description *ipc_describe(unsigned number)
{
    if (!is_filled)
        fill();
    return number < NUMBER_LIMIT ? by_number[number] : NULL;
}

const struct ipc_description *ipc_describe_index(size_t index)
{
    if (!is_filled)
        fill();
    return index < ARRAY_LENGTH(descriptions) ? &descriptions[index] : NULL;
}

uint64_t ipc_schema_hash(void)
{
    static const uint8_t seed[16] = {'p', 'o', 's', 't', 'h', 'o', 'u', 's', 'e'};
    return map_siphash(seed, span_of(schema_text, sizeof(schema_text) - 1));
}
