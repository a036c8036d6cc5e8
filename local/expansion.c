/* local/expansion - see expansion.h. */
#include "expansion.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/file.h"
#include "system/random.h"

/* One text: where it comes from, and whether its owner may have commands run. */
struct source {
    enum expansion_source kind;
    bool is_trusted;
    bool is_file; /* "#" begins a comment */
    unsigned depth;
    struct span name;
};

struct seen {
    struct map_node node;
};

void expansion_init(struct expansion *expansion, struct arena *arena)
{
    uint8_t seed[16];
    *expansion = (struct expansion){.arena = arena, .outcome = outcome_ok(), .note = span_empty()};
    random_bytes(seed, sizeof(seed));
    for (size_t i = 0; i < ARRAY_LENGTH(expansion->seen); i++)
        map_init(&expansion->seen[i], seed);
}

void expansion_release(struct expansion *expansion)
{
    for (size_t i = 0; i < ARRAY_LENGTH(expansion->seen); i++)
        map_destroy(&expansion->seen[i]);
}

static void fail(struct expansion *expansion, struct outcome outcome, struct span reason)
{
    outcome.reason = reason.bytes ? reason : SPAN("out of memory");
    if (!reason.bytes)
        outcome = outcome_temporary(451, 3, 0, "out of memory");
    if (outcome_is_ok(&expansion->outcome))
        expansion->outcome = outcome;
}

/* The arena has no room for words of its own any more. */
static void fail_for_memory(struct expansion *expansion)
{
    fail(expansion, outcome_temporary(451, 3, 4, ""),
         SPAN("out of memory: the list is too long for one alias or file"));
}

/* False: somebody has it already, or memory is out. */
static bool is_first(struct expansion *expansion, const struct destination *destination)
{
    struct map *map = &expansion->seen[destination->kind];
    if (map_find(map, destination->text))
        return false;
    struct seen *seen = arena_alloc(expansion->arena, sizeof(*seen));
    if (seen)
        seen->node.key = destination->text;
    if (seen && map_insert(map, &seen->node))
        return true;
    fail_for_memory(expansion);
    return false;
}

static bool grow(struct expansion *expansion)
{
    const size_t capacity = expansion->capacity ? expansion->capacity * 2 : 8;
    struct action *grown = arena_alloc(expansion->arena, capacity * sizeof(*grown));
    if (!grown)
        return false;
    if (expansion->action_count)
        memcpy(grown, expansion->actions, expansion->action_count * sizeof(*grown));
    expansion->actions = grown;
    expansion->capacity = capacity;
    return true;
}

static void add_action(struct expansion *expansion, const struct destination *destination,
                       const struct source *source)
{
    if (expansion->action_count >= EXPANSION_ACTIONS_MAX) {
        fail(expansion, outcome_temporary(451, 3, 4, ""),
             arena_format(expansion->arena, "more than %d destinations", EXPANSION_ACTIONS_MAX));
        return;
    }
    if (expansion->action_count == expansion->capacity && !grow(expansion)) {
        fail_for_memory(expansion);
        return;
    }
    expansion->actions[expansion->action_count++] = (struct action){
        .kind = destination->kind,
        .source = source->kind,
        .text = destination->text,
        .is_final = destination->is_final,
        .is_untrusted = destination->kind != DESTINATION_ADDRESS && !source->is_trusted};
}

static void read_include(struct expansion *expansion, struct span path, unsigned depth);

static void take_entry(struct expansion *expansion, const struct destination *destination,
                       const struct source *source)
{
    if (!is_first(expansion, destination))
        return; /* also the end of files that include each other */
    if (destination->kind == DESTINATION_INCLUDE)
        read_include(expansion, destination->text, source->depth + 1);
    else
        add_action(expansion, destination, source);
}

static void add_text(struct expansion *expansion, struct span text, const struct source *source)
{
    struct destination destination;
    bool is_at_line = source->is_file;
    while (outcome_is_ok(&expansion->outcome)) {
        const enum parse_result result =
            destination_next(&text, is_at_line, expansion->arena, &destination);
        is_at_line = false; /* the parser knows of later lines itself */
        if (result == PARSE_NEED_MORE)
            return;
        if (result == PARSE_OK)
            take_entry(expansion, &destination, source);
        else if (result == PARSE_TOO_LONG)
            fail_for_memory(expansion);
        else
            fail(expansion, outcome_temporary(451, 3, 5, ""),
                 arena_format(expansion->arena, "%.*s has an entry that makes no sense",
                              SPAN_PRINTF(source->name)));
    }
}

void expansion_add_alias(struct expansion *expansion, struct span text)
{
    const struct source source = {
        .kind = EXPANSION_ALIAS, .is_trusted = true, .name = SPAN("the alias")};
    add_text(expansion, text, &source);
}

/* ---- files ---- */

/* The file's text; NULL bytes with errno. Not waiting for a FIFO's writer. */
static struct span read_text(struct expansion *expansion, int file, const struct stat *status)
{
    struct span text = {NULL, 0};
    if (status->st_size > EXPANSION_FILE_MAX_BYTES) {
        errno = EFBIG;
        return text;
    }
    uint8_t *bytes = arena_alloc(expansion->arena, (size_t)status->st_size + 1);
    errno = ENOMEM;
    const ssize_t count = bytes ? file_pread_upto(file, bytes, (size_t)status->st_size, 0) : -1;
    return count < 0 ? text : span_of(bytes, (size_t)count);
}

static bool is_owned_by_us_or_root(const struct stat *status)
{
    return status->st_uid == 0 || status->st_uid == geteuid();
}

/* A file that anybody may write to is nobody's list. Addresses in somebody else's are followed;
 * commands and files in it would run with rights that its owner does not have. */
static void read_include(struct expansion *expansion, struct span path, unsigned depth)
{
    struct stat status;
    struct source source = {
        .kind = EXPANSION_INCLUDE, .is_file = true, .depth = depth, .name = path};
    const char *name = arena_string(expansion->arena, path);
    if (!name) {
        fail_for_memory(expansion);
        return;
    }
    if (name[0] != '/' || depth > EXPANSION_DEPTH_MAX) {
        fail(expansion, outcome_temporary(451, 3, 5, ""),
             arena_format(expansion->arena, ":include:%s %s", name,
                          name[0] != '/' ? "is no absolute path" : "is too deep"));
        return;
    }
    const int file = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    const char *problem = NULL;
    if (file < 0 || fstat(file, &status) != 0)
        problem = strerrordesc_np(errno);
    else if (!S_ISREG(status.st_mode))
        problem = "it is no regular file";
    else if (status.st_mode & S_IWOTH)
        problem = "anybody may write to it";
    if (!problem) {
        const struct span text = read_text(expansion, file, &status);
        source.is_trusted = is_owned_by_us_or_root(&status);
        if (text.bytes)
            add_text(expansion, text, &source);
        else
            problem = strerrordesc_np(errno);
    }
    file_close(file);
    if (problem)
        fail(expansion, outcome_temporary(451, 3, 5, ""),
             arena_format(expansion->arena, "cannot read :include:%s: %s", name, problem));
}

/* What is wrong is not with the file, or with who may read it: a file server that is away, no
 * descriptors. To take the mailbox then would be to overlook what its user wants. */
static bool may_pass(int error_number)
{
    static const int lasting[] = {EACCES, EFBIG,   EISDIR, ELOOP, ENAMETOOLONG,
                                  ENOENT, ENOTDIR, ENXIO,  EPERM};
    for (size_t i = 0; i < ARRAY_LENGTH(lasting); i++)
        if (lasting[i] == error_number)
            return false;
    return true;
}

/* For the mail to wait. */
static bool put_off(struct expansion *expansion, const char *path, int error_number)
{
    fail(expansion, outcome_temporary(451, 3, 0, ""),
         arena_format(expansion->arena, "cannot read %s: %s", path, strerrordesc_np(error_number)));
    return true;
}

/* As Postfix: a file that is not safe to follow does as if it was not there, and the log says so.
 */
static bool read_forward_file(struct expansion *expansion, const char *path)
{
    struct stat status;
    const struct source source = {.kind = EXPANSION_FORWARD,
                                  .is_trusted = true,
                                  .is_file = true,
                                  .name = span_from_string(path)};
    const int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    const char *problem = NULL;
    struct span text = {NULL, 0};
    int error = 0;
    if (file < 0 || fstat(file, &status) != 0)
        error = errno;
    else if (!S_ISREG(status.st_mode))
        problem = "it is no regular file";
    else if (!is_owned_by_us_or_root(&status))
        problem = "it has another owner";
    else if (status.st_mode & S_IWOTH)
        problem = "anybody may write to it";
    else if (!(text = read_text(expansion, file, &status)).bytes)
        error = errno;
    file_close(file);
    if (error != 0 && may_pass(error))
        return put_off(expansion, path, error);
    if (error != 0)
        problem = error == ELOOP ? "it is no regular file" : strerrordesc_np(error);
    if (problem) {
        expansion->note = arena_format(expansion->arena, "%s is passed over: %s", path, problem);
        return false;
    }
    add_text(expansion, text, &source);
    return !outcome_is_ok(&expansion->outcome) || expansion->action_count > 0;
}

static bool mentions_extension(struct span path)
{
    return span_find(path, SPAN("extension")) < path.length;
}

bool expansion_read_forward(struct expansion *expansion, const struct attributes *attributes,
                            const struct conf_local *settings, bool *has_extension)
{
    struct span rest = settings->forward_path, word, expanded;
    *has_extension = false;
    while (span_next_word(&rest, ", \t\r\n", &word)) {
        struct stat status;
        /* A name that stands for nothing makes it no file of this recipient's. */
        if (attributes_expand(attributes, word, settings->forward_expansion_filter,
                              expansion->arena, &expanded) != ATTRIBUTES_EXPANDED)
            continue;
        const char *path = arena_string(expansion->arena, expanded);
        if (!path || path[0] != '/')
            continue;
        const int error = lstat(path, &status) == 0 ? 0 : errno;
        if (error != 0 && may_pass(error))
            return put_off(expansion, path, error);
        if (error != 0)
            continue;
        *has_extension = mentions_extension(word) && !span_is_empty(attributes->extension);
        return read_forward_file(expansion, path);
    }
    return false;
}
