/* tools/postmap - build, change, list and ask lookup tables; postmap(1). By the name postalias the
 * text is that of aliases(5); by the name newaliases the tables of alias_database are built.
 * Options, output, messages and exit status are Postfix's. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/instance.h"
#include "table/alias_source.h"
#include "table/build.h"
#include "table/names.h"
#include "table/source.h"
#include "table/table.h"

enum {
    POSTMAP_READ_BYTES = 64 * 1024,
    POSTMAP_ERROR_MAX_BYTES = 4096,
    POSTMAP_SAFE_MODES = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH
};

enum postmap_mode { POSTMAP_BUILD, POSTMAP_QUERY, POSTMAP_DELETE, POSTMAP_LIST };

struct postmap {
    bool is_for_aliases; /* postalias, newaliases */
    enum postmap_mode mode;
    const char *key;
    const char *config_directory; /* -c, or NULL */
    char default_type[65];        /* empty: not asked yet */
    unsigned table_flags;
    unsigned build_flags;
    bool is_incremental;
    bool keeps_root;
    bool has_own_mode; /* -p: permissions are not those of the source */
    bool requires_utf8;
    bool is_verbose;
};

static void PRINTF_LIKE(2, 3) say(const char *level, const char *format, ...)
{
    va_list arguments;

    (void)fprintf(stderr, "%s: %s: ", program_invocation_short_name, level);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

#define fatal(...) (say("fatal", __VA_ARGS__), exit(EXIT_FAILURE))
#define warning(...) say("warning", __VA_ARGS__)

static NORETURN void usage(void)
{
    fatal("usage: %s [-fiNnoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
          program_invocation_short_name);
}

static void warn_span(void *context UNUSED, struct span text)
{
    warning("%.*s", SPAN_PRINTF(text));
}

/* main.cf is read only where it is needed, so that tables can be asked without a configuration.
 * The caller frees. */
static char *parameter(const struct postmap *postmap, const char *name)
{
    const char *directory = conf_directory(postmap->config_directory);
    struct arena arena;
    struct conf_instance instance;
    struct conf_notices notices;
    struct conf_error error;
    struct buffer value;

    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    buffer_init(&value, NULL, CONF_TEXT_MAX);
    conf_notices_init(&notices, &arena);
    if (!conf_instance_read(directory, false, &arena, &instance, &notices) ||
        !conf_instance_value(&instance, NULL, span_from_string(name), &value, &error))
        fatal("%s/main.cf cannot be read for %s", directory, name);
    buffer_append_byte(&value, '\0');
    char *text = buffer_ok(&value) ? strdup((const char *)value.bytes) : NULL;
    if (!text)
        fatal("memory is out");
    buffer_release(&value);
    arena_destroy(&arena);
    return text;
}

static void find_default_type(struct postmap *postmap)
{
    char *type = parameter(postmap, "default_database_type");
    (void)snprintf(postmap->default_type, sizeof(postmap->default_type), "%s", type);
    free(type);
}

/* "file" is "hash:file". */
static struct span full_name(struct postmap *postmap, struct arena *arena, const char *name)
{
    if (!strchr(name, ':') && !postmap->default_type[0])
        find_default_type(postmap);
    const struct span full = strchr(name, ':')
                                 ? arena_copy(arena, span_from_string(name))
                                 : arena_format(arena, "%s:%s", postmap->default_type, name);
    if (!full.bytes)
        fatal("%s: name is too long", name);
    return full;
}

static struct table *open_table(struct postmap *postmap, const char *name)
{
    const struct table_options options = {.flags = postmap->table_flags | TABLE_MAY_BLOCK,
                                          .warn = warn_span};
    struct buffer error;
    struct arena arena;

    arena_init(&arena, 2 * TABLE_NAME_MAX_BYTES, 0);
    buffer_init(&error, &arena, POSTMAP_ERROR_MAX_BYTES);
    struct table *table = table_open(full_name(postmap, &arena, name), &options, &error);
    if (!table)
        fatal("%.*s", SPAN_PRINTF(buffer_span(&error)));
    if (table_prepare(table) != TABLE_FOUND)
        fatal("%.*s", SPAN_PRINTF(table_error(table)));
    arena_destroy(&arena);
    return table;
}

/* Output that could not be written is an error, not an answer. */
static void finish_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        fatal("write to standard output: %s", strerror(errno));
}

static void print_span(struct span span)
{
    (void)fwrite(span.bytes, 1, span.length, stdout); /* finish_output() looks for errors */
}

/* The first table that has the key; true when one had. */
static bool query(struct table **tables, size_t count, struct span key, const char *separator)
{
    struct buffer value;

    buffer_init(&value, NULL, TABLE_VALUE_MAX_BYTES);
    for (size_t i = 0; i < count; i++) {
        const enum table_result result = table_lookup(tables[i], key, &value);
        if (result == TABLE_NOT_FOUND)
            continue;
        if (result != TABLE_FOUND)
            fatal("table %.*s: query error: %.*s", SPAN_PRINTF(table_name(tables[i])),
                  SPAN_PRINTF(table_error(tables[i])));
        if (value.length == 0)
            warning("table %.*s: key %.*s: empty string result is not allowed",
                    SPAN_PRINTF(table_name(tables[i])), SPAN_PRINTF(key));
        if (separator) {
            print_span(key);
            (void)fputs(separator, stdout);
        }
        print_span(buffer_span(&value));
        (void)putchar('\n');
        buffer_release(&value);
        return true;
    }
    buffer_release(&value);
    return false;
}

/* The key of the command line, or with "-" each line of standard input; true when one was found. */
static bool for_each_key(const struct postmap *postmap,
                         bool (*visit)(void *context, struct span key, bool is_one_of_many),
                         void *context)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    bool is_found = false;

    if (strcmp(postmap->key, "-") != 0)
        return visit(context, span_from_string(postmap->key), false);
    while ((length = getline(&line, &size, stdin)) > 0) {
        if (line[length - 1] == '\n')
            length--;
        if (visit(context, span_of(line, (size_t)length), true))
            is_found = true;
    }
    if (ferror(stdin))
        fatal("read standard input: %s", strerror(errno));
    free(line);
    return is_found;
}

struct opened_tables {
    const struct postmap *postmap;
    struct table **tables;
    size_t count;
};

static const char *separator_for(const struct postmap *postmap)
{
    return postmap->is_for_aliases ? ":\t" : "\t";
}

static bool query_key(void *context, struct span key, bool is_one_of_many)
{
    const struct opened_tables *opened = context;
    return query(opened->tables, opened->count, key,
                 is_one_of_many ? separator_for(opened->postmap) : NULL);
}

static bool run_query(struct postmap *postmap, char **names, size_t count)
{
    struct table **tables = calloc(count, sizeof(struct table *));
    struct opened_tables opened = {postmap, tables, count};

    if (!tables)
        fatal("memory is out");
    for (size_t i = 0; i < count; i++)
        tables[i] = open_table(postmap, names[i]);
    const bool is_found = for_each_key(postmap, query_key, &opened);
    for (size_t i = 0; i < count; i++)
        table_close(&tables[i]);
    free(tables);
    finish_output();
    return is_found;
}

static bool print_entry(void *context, struct span key, struct span value)
{
    print_span(key);
    (void)fputs(separator_for(context), stdout);
    print_span(value);
    (void)putchar('\n');
    return true;
}

static void run_list(struct postmap *postmap, char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct table *table = open_table(postmap, names[i]);
        if (table_walk(table, print_entry, postmap) != TABLE_FOUND)
            fatal("%.*s", SPAN_PRINTF(table_error(table)));
        table_close(&table);
    }
    finish_output();
}

/* A table that can be built: its type, and the path without ".db". */
static const char *buildable(struct postmap *postmap, struct arena *arena, const char *name,
                             enum table_build_type *type)
{
    struct span type_name;
    struct span path;
    (void)span_split_once(full_name(postmap, arena, name), ':', &type_name, &path);
    if (!table_build_find_type(type_name, type))
        fatal("unsupported map type for this operation: %.*s", SPAN_PRINTF(type_name));
    const char *string = arena_string(arena, path);
    if (!string || path.length == 0)
        fatal("%s: bad table name", name);
    return string;
}

static struct table_build *begin(const struct postmap *postmap, enum table_build_type type,
                                 const char *path, unsigned flags, mode_t mode)
{
    struct buffer error;

    buffer_init(&error, NULL, POSTMAP_ERROR_MAX_BYTES);
    struct table_build *build =
        table_build_begin(type, path, postmap->build_flags | flags, mode, &error);
    if (!build)
        fatal("%.*s", SPAN_PRINTF(buffer_span(&error)));
    if (postmap->is_verbose)
        say("info", "building %s", table_build_file(build));
    return build;
}

static void commit(struct table_build **build)
{
    struct buffer error;

    buffer_init(&error, NULL, POSTMAP_ERROR_MAX_BYTES);
    if (!table_build_commit(build, &error))
        fatal("%.*s", SPAN_PRINTF(buffer_span(&error)));
}

static bool delete_key(void *context, struct span key, bool is_one_of_many UNUSED)
{
    struct table_build *build = context;
    const enum table_result result = table_build_delete(build, key);
    if (result == TABLE_ERROR) {
        const char *reason = table_build_error(build);
        table_build_abandon(&build);
        fatal("delete from table: %s", reason);
    }
    return result == TABLE_FOUND;
}

static bool run_delete(struct postmap *postmap, char **names, size_t count)
{
    bool is_found = false;

    if (count > 1 && strcmp(postmap->key, "-") == 0)
        fatal("keys from standard input can be deleted from one table at a time");
    for (size_t i = 0; i < count; i++) {
        struct arena arena;
        enum table_build_type type;

        arena_init(&arena, 2 * TABLE_NAME_MAX_BYTES, 0);
        const char *path = buildable(postmap, &arena, names[i], &type);
        struct table_build *build =
            begin(postmap, type, path, TABLE_BUILD_INCREMENTAL | TABLE_BUILD_MUST_EXIST, 0);
        if (for_each_key(postmap, delete_key, build)) {
            is_found = true;
            commit(&build);
        } else {
            table_build_abandon(&build);
        }
        arena_destroy(&arena);
    }
    return is_found;
}

static void add_pair(struct table_build *build, struct span key, struct span value,
                     const char *source_name, size_t line_number)
{
    switch (table_build_add(build, key, value)) {
    case TABLE_BUILD_ADDED:
        break;
    case TABLE_BUILD_DUPLICATE:
        warning("%s, line %zu: duplicate entry: \"%.*s\"", source_name, line_number,
                SPAN_PRINTF(key));
        break;
    case TABLE_BUILD_FAILED: {
        const char *reason = table_build_error(build);
        table_build_abandon(&build);
        fatal("%s, line %zu: %s", source_name, line_number, reason);
    }
    }
}

static void add_entry(struct table_build *build, const struct table_source_entry *entry,
                      const char *source_name)
{
    struct buffer text;

    buffer_init(&text, NULL, POSTMAP_ERROR_MAX_BYTES);
    table_source_warning(entry, source_name, &text);
    if (text.length && buffer_ok(&text))
        warning("%.*s", SPAN_PRINTF(buffer_span(&text)));
    buffer_release(&text);
    if (table_source_is_usable(entry))
        add_pair(build, entry->key, entry->value, source_name, entry->line_number);
}

static void add_alias(struct table_build *build, const struct table_source_entry *entry,
                      const char *source_name)
{
    struct buffer name;
    struct buffer value;

    switch (entry->problem) {
    case TABLE_SOURCE_FINE:
    case TABLE_SOURCE_LOOKS_LIKE_ALIAS:
    case TABLE_SOURCE_NO_VALUE:
    case TABLE_SOURCE_UNBALANCED_QUOTE:
        break; /* another syntax */
    case TABLE_SOURCE_LEADING_SPACE:
    case TABLE_SOURCE_HAS_NUL:
    case TABLE_SOURCE_NOT_UTF8:
    case TABLE_SOURCE_TOO_LONG:
        add_entry(build, entry, source_name); /* only warns */
        return;
    }
    buffer_init(&name, NULL, TABLE_KEY_MAX_BYTES);
    buffer_init(&value, NULL, TABLE_SOURCE_LINE_MAX_BYTES);
    const enum alias_problem problem = alias_source_split(entry->line, &name, &value);
    if (problem == ALIAS_FINE)
        add_pair(build, buffer_span(&name), buffer_span(&value), source_name, entry->line_number);
    else
        warning("%s, line %zu: %s", source_name, entry->line_number, alias_problem_text(problem));
    buffer_release(&name);
    buffer_release(&value);
}

static void add_source(const struct postmap *postmap, struct table_build *build, int descriptor,
                       const char *source_name)
{
    struct table_source source;
    struct buffer input;
    bool is_last = false;

    table_source_init(&source, NULL, postmap->requires_utf8);
    buffer_init(&input, NULL, TABLE_SOURCE_LINE_MAX_BYTES + 2 * POSTMAP_READ_BYTES);
    for (;;) {
        struct table_source_entry entry;
        size_t consumed;
        const enum parse_result result =
            table_source_next(&source, buffer_span(&input), is_last, &entry, &consumed);
        if (result == PARSE_OK && postmap->is_for_aliases)
            add_alias(build, &entry, source_name);
        else if (result == PARSE_OK)
            add_entry(build, &entry, source_name);
        buffer_consume(&input, consumed);
        if (result == PARSE_OK)
            continue;
        if (result == PARSE_NEED_MORE && is_last)
            break;
        uint8_t *room =
            result == PARSE_NEED_MORE ? buffer_reserve(&input, POSTMAP_READ_BYTES) : NULL;
        const ssize_t count = room ? read(descriptor, room, POSTMAP_READ_BYTES) : -1;
        if (!room || (count < 0 && errno != EINTR)) {
            const int error = room ? errno : ENOMEM;
            table_build_abandon(&build);
            fatal("read %s: %s", source_name, strerror(error));
        }
        is_last = count == 0;
        buffer_extend(&input, count > 0 ? (size_t)count : 0);
    }
    buffer_release(&input);
    table_source_release(&source);
}

/* A source in somebody's own directory is processed with that somebody's rights, so that its owner
 * cannot make root write where he likes (symbolic links). */
static void become_owner(const struct postmap *postmap, const struct stat *source)
{
    if (postmap->keeps_root || geteuid() != 0 || source->st_uid == 0)
        return;
    if (setgroups(0, NULL) != 0 || setegid(source->st_gid) != 0 || seteuid(source->st_uid) != 0)
        fatal("become uid %lu: %s", (unsigned long)source->st_uid, strerror(errno));
}

static void become_root_again(uid_t uid, gid_t gid)
{
    if (geteuid() != uid && (seteuid(uid) != 0 || setegid(gid) != 0))
        fatal("become root again: %s", strerror(errno));
}

static void run_build_one(struct postmap *postmap, const char *name)
{
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    struct arena arena;
    struct stat status;
    enum table_build_type type;
    int descriptor = STDIN_FILENO;

    arena_init(&arena, 2 * TABLE_NAME_MAX_BYTES, 0);
    const char *path = buildable(postmap, &arena, name, &type);
    /* The source decides owner and mode; with -i it may be absent, and is not read. */
    const int source = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (source < 0 && !postmap->is_incremental)
        fatal("open %s: %s", path, strerror(errno));
    if (fstat(source >= 0 ? source : STDIN_FILENO, &status) != 0)
        fatal("open %s: %s", path, strerror(errno));
    if (source >= 0 && !S_ISREG(status.st_mode))
        fatal("open %s: not a regular file", path);
    if (source >= 0)
        become_owner(postmap, &status);
    const mode_t mode = postmap->has_own_mode || source < 0
                            ? POSTMAP_SAFE_MODES
                            : S_IRUSR | S_IWUSR | (status.st_mode & POSTMAP_SAFE_MODES);
    if (!postmap->is_incremental)
        descriptor = source;
    struct table_build *build =
        begin(postmap, type, path, postmap->is_incremental ? TABLE_BUILD_INCREMENTAL : 0, mode);
    add_source(postmap, build, descriptor, postmap->is_incremental ? "stdin" : path);
    commit(&build);
    if (source >= 0)
        (void)close(source); /* only read */
    become_root_again(uid, gid);
    arena_destroy(&arena);
}

static void set_mode(struct postmap *postmap, enum postmap_mode mode)
{
    if (postmap->mode != POSTMAP_BUILD)
        fatal("specify only one of -s -q or -d");
    postmap->mode = mode;
}

static void read_options(struct postmap *postmap, int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "c:d:fiNnopq:rsuUvw")) > 0) {
        switch (option) {
        case 'c':
            postmap->config_directory = optarg;
            break;
        case 'd':
        case 'q':
            set_mode(postmap, option == 'd' ? POSTMAP_DELETE : POSTMAP_QUERY);
            postmap->key = optarg;
            break;
        case 'f':
            postmap->table_flags |= TABLE_KEEP_CASE;
            postmap->build_flags |= TABLE_BUILD_KEEP_CASE;
            break;
        case 'i':
            postmap->is_incremental = true;
            break;
        case 'N':
            postmap->table_flags |= TABLE_WITH_NUL;
            break;
        case 'n':
            postmap->table_flags |= TABLE_WITHOUT_NUL;
            postmap->build_flags |= TABLE_BUILD_WITHOUT_NUL;
            break;
        case 'o':
            postmap->keeps_root = true;
            break;
        case 'p':
            postmap->has_own_mode = true;
            break;
        case 'r':
            postmap->build_flags |= TABLE_BUILD_REPLACE;
            break;
        case 's':
            set_mode(postmap, POSTMAP_LIST);
            break;
        case 'u':
            postmap->requires_utf8 = false;
            break;
        case 'U':
            postmap->requires_utf8 = true;
            break;
        case 'v':
            postmap->is_verbose = true;
            break;
        case 'w':
            postmap->build_flags |= TABLE_BUILD_IGNORE;
            break;
        default:
            usage();
        }
    }
}

/* The tables of alias_database; sendmail's options are taken and of no meaning. */
static int build_alias_database(int argc, char **argv)
{
    struct postmap postmap = {.is_for_aliases = true, .requires_utf8 = true};
    int option;

    while ((option = getopt(argc, argv, "B:C:c:F:f:h:io:N:n:O:p:r:R:tUV:v")) > 0) {
        if (option == 'c' || option == 'C')
            postmap.config_directory = optarg;
        else if (option == 'v')
            postmap.is_verbose = true;
        else if (option == '?')
            fatal("usage: newaliases [-v] [-c config_dir]");
    }
    char *names = parameter(&postmap, "alias_database");
    struct span rest = span_from_string(names);
    struct span word;
    if (span_is_empty(span_trim_spaces(rest)))
        fatal("alias_database is empty in %s/main.cf: there is nothing to build",
              conf_directory(postmap.config_directory));
    while (table_next_name(&rest, &word)) {
        char *name = strndup((const char *)word.bytes, word.length);
        if (!name)
            fatal("memory is out");
        run_build_one(&postmap, name);
        free(name);
    }
    free(names);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const char *program = program_invocation_short_name;
    struct postmap postmap = {.is_for_aliases = strcmp(program, "postalias") == 0,
                              .requires_utf8 = true};
    bool is_found = true;

    if (strcmp(program, "newaliases") == 0)
        return build_alias_database(argc, argv);
    read_options(&postmap, argc, argv);
    if (postmap.is_incremental && postmap.mode != POSTMAP_BUILD)
        fatal("specify only one of -d -i -q or -s");
    if ((postmap.build_flags & TABLE_BUILD_REPLACE) && (postmap.build_flags & TABLE_BUILD_IGNORE))
        fatal("specify only one of -r or -w");
    if (optind == argc)
        usage();
    char **names = argv + optind;
    const size_t count = (size_t)(argc - optind);
    switch (postmap.mode) {
    case POSTMAP_QUERY:
        is_found = run_query(&postmap, names, count);
        break;
    case POSTMAP_LIST:
        run_list(&postmap, names, count);
        break;
    case POSTMAP_DELETE:
        is_found = run_delete(&postmap, names, count);
        break;
    case POSTMAP_BUILD:
        for (size_t i = 0; i < count; i++)
            run_build_one(&postmap, names[i]);
        break;
    }
    return is_found ? EXIT_SUCCESS : EXIT_FAILURE;
}
