/* tools/postmap - build, change, list and ask lookup tables; postmap(1). By the name postalias the
 * text is that of aliases(5); by the name newaliases the tables of alias_database are built.
 * Options, output, messages and exit status are Postfix's. */
#include "postmap.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "conf/instance.h"
#include "table/build.h"
#include "table/names.h"

void postmap_say(const char *level, const char *format, ...)
{
    va_list arguments;

    (void)fprintf(stderr, "%s: %s: ", program_invocation_short_name, level);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

static NORETURN void usage(bool is_for_aliases)
{
    fatal("usage: %s [-%s] [-c config_dir] [-d key] [-q key] [map_type:]file...",
          program_invocation_short_name, is_for_aliases ? "fijNnoprsuvw" : "bfFhijmNnoprsuUvw");
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
struct span postmap_full_name(struct postmap *postmap, struct arena *arena, const char *name)
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
    struct table *table = table_open(postmap_full_name(postmap, &arena, name), &options, &error);
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

/* Databases hold what stands in files, tables that are made from a text at each start the names. */
static bool names_files(struct span name)
{
    static const char *const types[] = {"cidr", "inline", "pcre", "regexp", "static", "texthash"};
    const struct span proxy = SPAN("proxy:");
    struct span type;
    struct span rest;

    if (span_starts_with(name, proxy))
        name = span_after(name, proxy.length);
    (void)span_split_once(name, ':', &type, &rest); /* it was opened, so it has one */
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (span_equals(type, span_from_string(types[i])))
            return true;
    return false;
}

/* -F: the content of files that the value stands for. */
static void read_value(struct span table, struct span key, struct span value, struct buffer *out)
{
    char where[POSTMAP_WHERE_MAX_BYTES];

    if (!names_files(table)) {
        postmap_decode_value(key, value, out);
        return;
    }
    (void)snprintf(where, sizeof(where), "table %.*s: key %.*s",
                   SPAN_PRINTF(span_first(table, 400)), SPAN_PRINTF(span_first(key, 200)));
    postmap_read_files(value, where, out);
}

/* One entry on a line; without a key the value alone. */
static void print_pair(const struct postmap *postmap, const struct table *table, struct span key,
                       const char *separator, struct span value)
{
    struct buffer decoded;

    buffer_init(&decoded, NULL, TABLE_VALUE_MAX_BYTES);
    if (postmap->has_files) {
        read_value(table_name(table), key, value, &decoded);
        value = buffer_span(&decoded);
    }
    if (postmap->prints_json) {
        struct buffer json;
        buffer_init(&json, NULL, 8 * (TABLE_VALUE_MAX_BYTES + TABLE_NAME_MAX_BYTES));
        buffer_append_byte(&json, '{');
        json_append_string(&json, key);
        buffer_append_string(&json, ": ");
        json_append_string(&json, value);
        buffer_append_byte(&json, '}');
        print_span(buffer_span(&json));
        buffer_release(&json);
    } else {
        if (separator) {
            print_span(key);
            (void)fputs(separator, stdout);
        }
        print_span(value);
    }
    (void)putchar('\n');
    buffer_release(&decoded);
}

struct asked_tables {
    struct postmap *postmap;
    char **names;
    struct table **tables; /* NULL where nobody has asked yet */
    size_t count;
};

/* The first table that has the key; true when one had. Those behind it need not be there. */
static bool query(const struct asked_tables *asked, struct span key, const char *separator)
{
    struct postmap *const postmap = asked->postmap;
    struct table **const tables = asked->tables;
    struct buffer value;

    buffer_init(&value, NULL, TABLE_VALUE_MAX_BYTES);
    for (size_t i = 0; i < asked->count; i++) {
        if (!tables[i])
            tables[i] = open_table(postmap, asked->names[i]);
        const enum table_result result = table_lookup(tables[i], key, &value);
        if (result == TABLE_NOT_FOUND)
            continue;
        if (result != TABLE_FOUND)
            fatal("table %.*s: query error: %.*s", SPAN_PRINTF(table_name(tables[i])),
                  SPAN_PRINTF(table_error(tables[i])));
        if (value.length == 0)
            warning("table %.*s: key %.*s: empty string result is not allowed",
                    SPAN_PRINTF(table_name(tables[i])), SPAN_PRINTF(key));
        print_pair(postmap, tables[i], key, separator, buffer_span(&value));
        buffer_release(&value);
        return true;
    }
    buffer_release(&value);
    return false;
}

bool postmap_for_each_key(const struct postmap *postmap, postmap_visit *visit, void *context)
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

static const char *separator_for(const struct postmap *postmap)
{
    return postmap->is_for_aliases ? ":\t" : "\t";
}

static bool query_key(void *context, struct span key, bool is_one_of_many)
{
    const struct asked_tables *asked = context;
    return query(asked, key, is_one_of_many ? separator_for(asked->postmap) : NULL);
}

static bool query_all(struct asked_tables *asked)
{
    const struct postmap *postmap = asked->postmap;
    return postmap->asks_headers || postmap->asks_body
               ? postmap_for_each_of_message(postmap, query_key, asked)
               : postmap_for_each_key(postmap, query_key, asked);
}

static bool run_query(struct postmap *postmap, char **names, size_t count)
{
    struct table **tables = calloc(count, sizeof(struct table *));
    struct asked_tables asked = {postmap, names, tables, count};

    if (!tables)
        fatal("memory is out");
    if (strcmp(postmap->key, "-") == 0)
        for (size_t i = 0; i < count; i++)
            tables[i] = open_table(postmap, names[i]); /* before the first answer, not after it */
    const bool is_found = query_all(&asked);
    for (size_t i = 0; i < count; i++)
        table_close(&tables[i]);
    free(tables);
    finish_output();
    return is_found;
}

struct listing {
    const struct postmap *postmap;
    const struct table *table;
};

static bool print_entry(void *context, struct span key, struct span value)
{
    const struct listing *listing = context;
    print_pair(listing->postmap, listing->table, key, separator_for(listing->postmap), value);
    return true;
}

static void run_list(struct postmap *postmap, char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct table *table = open_table(postmap, names[i]);
        struct listing listing = {postmap, table};
        if (table_walk(table, print_entry, &listing) != TABLE_FOUND)
            fatal("%.*s", SPAN_PRINTF(table_error(table)));
        table_close(&table);
    }
    finish_output();
}

static void set_mode(struct postmap *postmap, enum postmap_mode mode)
{
    if (postmap->mode != POSTMAP_BUILD || postmap->is_incremental)
        fatal("specify only one of -d -i -q or -s");
    postmap->mode = mode;
    postmap->is_incremental = mode == POSTMAP_BUILD;
}

static void read_options(struct postmap *postmap, int argc, char **argv)
{
    const char *const options =
        postmap->is_for_aliases ? "c:d:fijNnopq:rsuvw" : "bc:d:fFhijmNnopq:rsuUvw";
    int option;

    while ((option = getopt(argc, argv, options)) > 0) {
        switch (option) {
        case 'b':
            postmap->asks_body = true;
            break;
        case 'c':
            postmap->config_directory = optarg;
            break;
        case 'F':
            postmap->has_files = true;
            break;
        case 'h':
            postmap->asks_headers = true;
            break;
        case 'j':
            postmap->prints_json = true;
            break;
        case 'm':
            postmap->understands_mime = true;
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
            set_mode(postmap, POSTMAP_BUILD);
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
            postmap->build_flags &= ~(unsigned)TABLE_BUILD_IGNORE; /* the last of both counts */
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
            postmap->build_flags &= ~(unsigned)TABLE_BUILD_REPLACE;
            postmap->build_flags |= TABLE_BUILD_IGNORE;
            break;
        default:
            usage(postmap->is_for_aliases);
        }
    }
}

static void check_message_options(const struct postmap *postmap)
{
    const bool is_of_message =
        postmap->asks_headers || postmap->asks_body || postmap->understands_mime;
    if (postmap->understands_mime && !postmap->asks_headers && !postmap->asks_body)
        warning("ignoring -m option without -b or -h");
    if (is_of_message && (postmap->mode != POSTMAP_QUERY || strcmp(postmap->key, "-") != 0))
        fatal("specify -b -h or -m only with \"-q -\"");
    if (postmap->prints_json && postmap->mode != POSTMAP_QUERY && postmap->mode != POSTMAP_LIST)
        fatal("specify -j only with -q or -s");
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
        postmap_build_one(&postmap, name);
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
    check_message_options(&postmap);
    if (optind == argc)
        usage(postmap.is_for_aliases);
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
        is_found = postmap_delete(&postmap, names, count);
        break;
    case POSTMAP_BUILD:
        for (size_t i = 0; i < count; i++)
            postmap_build_one(&postmap, names[i]);
        break;
    }
    return is_found ? EXIT_SUCCESS : EXIT_FAILURE;
}
