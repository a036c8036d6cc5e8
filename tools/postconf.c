/* tools/postconf - show and change the configuration; postconf(1).
 * Options, output, messages and exit status are Postfix's. */
#include "postconf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/usage.h"
#include "table/table.h"

static const char *temporary_path;

void postconf_remove_at_exit(const char *path)
{
    temporary_path = path;
}

PRINTF_LIKE(2, 0)
static void say(const char *level, const char *format, va_list arguments)
{
    (void)fprintf(stderr, "postconf: %s: ", level);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
}

void postconf_fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("fatal", format, arguments);
    va_end(arguments);
    if (temporary_path)
        (void)unlink(temporary_path); /* nothing that anybody needs */
    exit(EXIT_FAILURE);
}

void postconf_warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("warning", format, arguments);
    va_end(arguments);
}

static NORETURN void usage(void)
{
    postconf_fatal("usage: postconf [-a (server SASL types)] [-A (client SASL types)] "
                   "[-b (bounce templates)] [-c config_dir] [-C param_class] "
                   "[-d (parameter defaults)] [-e (edit configuration)] [-f (fold lines)] "
                   "[-F (master.cf fields)] [-h (no names)] [-H (no values)] [-j (JSON)] "
                   "[-l (lock types)] [-m (map types)] [-M (master.cf)] "
                   "[-n (non-default parameters)] [-o name=value (override parameter value)] "
                   "[-p (main.cf, default)] [-P (master.cf parameters)] [-q (quiet)] "
                   "[-t (bounce templates)] "
                   "[-T compile-version|run-version|public-key-algorithms] [-v (verbose)] "
                   "[-x (expand parameter values)] [-X (exclude)] [-# (comment-out)] [name...]");
}

/* ---- options ---- */

/* What was given, each letter once. */
struct options {
    char letters[32];
    const char *directory;
    const char *mode; /* of -T */
    char **overrides; /* -o, within argv */
    size_t override_count;
    unsigned classes;
};

static bool has_option(const struct options *options, char letter)
{
    return strchr(options->letters, letter) != NULL;
}

static void add_option(struct options *options, char letter)
{
    const size_t length = strlen(options->letters);
    if (!has_option(options, letter) && length + 1 < sizeof(options->letters))
        options->letters[length] = letter;
}

/* Of such a set only one may be given. */
static void check_exclusive(const struct options *options, const char *set)
{
    char first = '\0';
    for (; *set; set++) {
        if (!has_option(options, *set))
            continue;
        if (first)
            postconf_fatal("specify one of -%c -%c", first, *set);
        first = *set;
    }
}

static void check_excluded(const struct options *options, char letter, const char *excluded)
{
    for (; has_option(options, letter) && *excluded; excluded++)
        if (has_option(options, *excluded))
            postconf_fatal("with option -%c, do not specify -%c", letter, *excluded);
}

static void check_options(const struct options *options)
{
    static const char *const sets[] = {
        "den", "eh", "eH", "ef", "ex", "eo", "eX", "e#", "hH", "dX", "d#", "hX",          "h#",
        "HX",  "H#", "fX", "f#", "nX", "n#", "xX", "x#", "oX", "o#", "X#", "FMPpaAbltTm", "m#",
        "em",  "je", "jX", "j#", "jf", "jh", "jH", "mX", "Fm", "Mm", "Pm"};
    check_excluded(options, 'M', "CdhHno");
    check_excluded(options, 'F', "Cdno#X");
    check_excluded(options, 'P', "Cdno#");
    for (size_t i = 0; i < ARRAY_LENGTH(sets); i++)
        check_exclusive(options, sets[i]);
}

static unsigned parse_classes(const char *text)
{
    static const struct {
        const char *name;
        unsigned classes;
    } names[] = {{"all", POSTCONF_BUILTIN | POSTCONF_SERVICE | POSTCONF_USER},
                 {"builtin", POSTCONF_BUILTIN},
                 {"service", POSTCONF_SERVICE},
                 {"user", POSTCONF_USER}};
    unsigned classes = 0;
    struct span rest = span_from_string(text), word;
    while (span_next_word(&rest, ", \t", &word)) {
        unsigned found = 0;
        for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
            if (span_equals(word, span_from_string(names[i].name)))
                found = names[i].classes;
        if (!found)
            postconf_fatal("unknown -C option value \"%.*s\" in \"%s\"", SPAN_PRINTF(word), text);
        classes |= found;
    }
    return classes;
}

static void parse_options(struct options *options, int argc, char **argv)
{
    options->classes = POSTCONF_BUILTIN | POSTCONF_SERVICE | POSTCONF_USER;
    for (int letter; (letter = getopt(argc, argv, "aAbc:C:defFhHjlmMno:pPqtT:vxX#")) != -1;) {
        switch (letter) {
        case 'c':
            options->directory = optarg;
            break;
        case 'T':
            options->mode = optarg;
            add_option(options, 'T');
            break;
        case 'C':
            options->classes = parse_classes(optarg);
            add_option(options, 'C');
            break;
        case 'o':
            options->overrides[options->override_count++] = optarg;
            add_option(options, 'o');
            break;
        case '?':
            usage();
        default:
            add_option(options, (char)letter);
        }
    }
}

/* ---- configuration ---- */

static void apply_override(struct postconf *postconf, const char *text)
{
    struct span name, value;
    const char *reason;
    if (!conf_split_assignment(span_from_string(text), &name, &value, &reason))
        postconf_fatal("invalid parameter override: %s: %s", text, reason);
    if (!conf_main_set(&postconf->instance.main, name, value, &postconf->arena))
        postconf_fatal("out of memory");
}

/* master.cf may be missing where only parameters are asked for. */
static void read_configuration(struct postconf *postconf, const struct options *options,
                               bool needs_master)
{
    struct conf_notices notices;
    char *path = NULL;

    if (asprintf(&path, "%s/master.cf", postconf->directory) < 0)
        postconf_fatal("out of memory");
    const bool reads_master = needs_master || access(path, F_OK) == 0;
    free(path);
    conf_notices_init(&notices, &postconf->arena);
    const bool is_ok = conf_instance_read(postconf->directory, reads_master, &postconf->arena,
                                          &postconf->instance, &notices);
    if (postconf->shows_defaults)
        return; /* whatever is in main.cf, or whether there is one */
    for (const struct conf_notice *notice = notices.first; notice; notice = notice->next) {
        if (notice->level == CONF_NOTICE_WARNING)
            postconf_warn("%s", notice->text);
        else if (notice->level == CONF_NOTICE_ERROR)
            (void)fprintf(stderr, "postconf: fatal: %s\n", notice->text);
    }
    if (!is_ok)
        exit(EXIT_FAILURE);
    for (size_t i = 0; i < options->override_count; i++)
        apply_override(postconf, options->overrides[i]);
}

/* ---- what nobody uses ---- */

struct usage_context {
    const struct postconf *postconf;
    bool is_of_master_only;
};

static struct span file_of(const struct postconf *postconf, const struct conf_service *service)
{
    return service ? postconf->instance.master.file : postconf->instance.main.file;
}

static void warn_unused(void *context, const struct conf_service *service, struct span name,
                        struct span value, uint32_t line UNUSED)
{
    const struct usage_context *usage_context = context;
    if (service || !usage_context->is_of_master_only)
        postconf_warn("%.*s: unused parameter: %.*s=%.*s",
                      SPAN_PRINTF(file_of(usage_context->postconf, service)), SPAN_PRINTF(name),
                      SPAN_PRINTF(value));
}

static void warn_undefined(void *context, const struct conf_service *service, struct span name,
                           uint32_t line UNUSED)
{
    const struct usage_context *usage_context = context;
    postconf_warn("%.*s: undefined parameter: %.*s",
                  SPAN_PRINTF(file_of(usage_context->postconf, service)), SPAN_PRINTF(name));
}

void postconf_warn_of_usage(struct postconf *postconf, bool is_of_master_only)
{
    struct usage_context context = {postconf, is_of_master_only};
    const struct conf_usage usage_visits = {&postconf->instance, &context, warn_unused,
                                            warn_undefined};
    conf_usage_report(&usage_visits);
    if (!postconf->is_verbose)
        return;
    for (size_t i = 0; i < postconf->instance.main.entry_count; i++) {
        const struct conf_entry *entry = &postconf->instance.main.entries[i];
        if (entry->is_referenced && !conf_name_is_built(&postconf->instance, entry->name))
            (void)fprintf(stderr, "postconf: $%.*s in main.cf validates %.*s=value in main.cf\n",
                          SPAN_PRINTF(entry->name), SPAN_PRINTF(entry->name));
    }
}

void postconf_list_tables(struct postconf *postconf)
{
    for (const char *const *name = table_type_names; *name; name++)
        buffer_append_format(&postconf->output, "%s\n", *name);
}

/* ---- main ---- */

/* 'e', 'X' or '#', or 0 when nothing is to be changed. A first argument with a sign means -e. */
static char choose_action(struct options *options, char **arguments, size_t argument_count)
{
    if (argument_count > 0 && strchr(arguments[0], '=') && !has_option(options, 'm'))
        add_option(options, 'e');
    return has_option(options, 'e')   ? 'e'
           : has_option(options, 'X') ? 'X'
           : has_option(options, '#') ? '#'
                                      : '\0';
}

static void check_arguments(char action, char **arguments, size_t argument_count)
{
    if (argument_count == 0)
        postconf_fatal("-%c requires name%s argument", action, action == 'e' ? "=value" : "");
    for (size_t i = 0; i < argument_count; i++)
        if (strchr(arguments[i], '\n'))
            postconf_fatal("-e, -X, or -# accepts no multi-line input");
}

static char choose_kind(const struct options *options)
{
    return has_option(options, 'M')   ? 'M'
           : has_option(options, 'F') ? 'F'
           : has_option(options, 'P') ? 'P'
                                      : '\0';
}

static char choose_show(const struct options *options)
{
    for (const char *letter = "aAbltT"; *letter; letter++)
        if (has_option(options, *letter))
            return *letter;
    return '\0';
}

static void write_output(const struct postconf *postconf)
{
    const struct span text = buffer_span(&postconf->output);
    if (!buffer_ok(&postconf->output))
        postconf_fatal("out of memory");
    if (fwrite(text.bytes, 1, text.length, stdout) != text.length || fflush(stdout) != 0)
        postconf_fatal("write error: standard output");
}

static void run(struct postconf *postconf, struct options *options, char **arguments,
                size_t argument_count)
{
    const char action = choose_action(options, arguments, argument_count);
    const char kind = choose_kind(options);

    check_options(options);
    if (has_option(options, 'm')) {
        postconf_list_tables(postconf);
        return;
    }
    const char show = choose_show(options);
    if (show) {
        if (show == 'b' || show == 't')
            read_configuration(postconf, options, false);
        postconf_show(postconf, show, options->mode, arguments, argument_count);
        return;
    }
    if (action) {
        check_arguments(action, arguments, argument_count);
        if (kind)
            postconf_edit_master(postconf, kind, action, arguments, argument_count);
        else
            postconf_edit_main(postconf, action, arguments, argument_count);
        return;
    }
    read_configuration(postconf, options, kind != '\0');
    if (kind)
        postconf_list_services(postconf, kind, arguments, argument_count);
    else
        postconf_list(postconf, arguments, argument_count);
    if (!postconf->shows_defaults && !postconf->is_quiet)
        postconf_warn_of_usage(postconf, kind != '\0');
}

int main(int argc, char **argv)
{
    static struct postconf postconf;
    static struct options options;

    arena_init(&postconf.arena, CONF_INSTANCE_ARENA_BYTES, 0);
    buffer_init(&postconf.output, NULL, POSTCONF_FILE_MAX_BYTES);
    options.overrides = arena_alloc(&postconf.arena, (size_t)argc * sizeof(*options.overrides));
    if (!options.overrides)
        postconf_fatal("out of memory");
    parse_options(&options, argc, argv);
    postconf.directory = conf_directory(options.directory);
    postconf.classes = options.classes;
    postconf.shows_defaults = has_option(&options, 'd');
    postconf.shows_set_only = has_option(&options, 'n');
    postconf.expands = has_option(&options, 'x');
    postconf.is_verbose = has_option(&options, 'v');
    postconf.is_quiet = has_option(&options, 'q');
    postconf.print_flags = (has_option(&options, 'f') ? CONF_PRINT_FOLDED : 0U) |
                           (has_option(&options, 'h') ? CONF_PRINT_VALUE_ONLY : 0U) |
                           (has_option(&options, 'H') ? CONF_PRINT_NAME_ONLY : 0U) |
                           (has_option(&options, 'j') ? CONF_PRINT_JSON : 0U);
    run(&postconf, &options, argv + optind, (size_t)(argc - optind));
    write_output(&postconf);
    buffer_release(&postconf.output);
    arena_destroy(&postconf.arena);
    return EXIT_SUCCESS;
}
