/* tools/postconf_edit - change main.cf and master.cf, keeping comments and order.
 * The new text is written to FILE.tmp, flushed, and renamed over the file: readers see the old or
 * the new one, and whoever edits at the same time waits. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "postconf.h"
#include "system/file.h"

/* A file while it is changed. */
struct editing {
    struct postconf *postconf;
    const char *path; /* of the file itself, not of a link to it */
    const char *temporary_path;
    struct stat status;
    int temporary;
    struct span text;
};

/* The file that is called temporary_path, and ours alone. Whoever was first may have renamed it
 * away while we waited. */
static void lock_temporary(struct editing *editing)
{
    for (;;) {
        struct stat ours, current;
        editing->temporary = open(editing->temporary_path,
                                  O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
        if (editing->temporary < 0)
            postconf_fatal("open %s: %s", editing->temporary_path, strerror(errno));
        if (flock(editing->temporary, LOCK_EX) != 0 || fstat(editing->temporary, &ours) != 0)
            postconf_fatal("lock %s: %s", editing->temporary_path, strerror(errno));
        if (stat(editing->temporary_path, &current) == 0 && current.st_ino == ours.st_ino &&
            current.st_dev == ours.st_dev)
            return;
        file_close(editing->temporary);
    }
}

static const char *format_path(struct postconf *postconf, const char *format, ...)
    PRINTF_LIKE(2, 3);

static const char *format_path(struct postconf *postconf, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    const int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    const char *path = length < 0 ? NULL : arena_string(&postconf->arena, span_from_string(text));
    free(text);
    if (!path)
        postconf_fatal("out of memory");
    return path;
}

static void begin_editing(struct editing *editing, const char *name)
{
    struct postconf *postconf = editing->postconf;
    const char *link = format_path(postconf, "%s/%s", postconf->directory, name);
    char *real = realpath(link, NULL);
    if (!real)
        postconf_fatal("open %s for reading: %s", link, strerror(errno));
    editing->path = format_path(postconf, "%s", real);
    editing->temporary_path = format_path(postconf, "%s.tmp", real);
    free(real);
    lock_temporary(editing);
    postconf_remove_at_exit(editing->temporary_path);
    if (stat(editing->path, &editing->status) != 0 ||
        file_read_whole(AT_FDCWD, editing->path, POSTCONF_FILE_MAX_BYTES, &postconf->arena,
                        &editing->text) != 0)
        postconf_fatal("open %s for reading: %s", editing->path, strerror(errno));
}

static NORETURN void abandon(const struct editing *editing, const char *what)
{
    postconf_fatal("%s %s: %s", what, editing->temporary_path, strerror(errno));
}

/* Without the right to give a file away (not root) its owner is whoever edits it. */
static void take_over_owner(const struct editing *editing)
{
    if (fchown(editing->temporary, editing->status.st_uid, editing->status.st_gid) != 0 &&
        geteuid() == 0)
        abandon(editing, "change owner of");
    if (fchmod(editing->temporary, editing->status.st_mode & 07777) != 0)
        abandon(editing, "change mode of");
}

static void sync_directory(const struct editing *editing)
{
    char *path = strdup(editing->path);
    const int directory = path ? open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (directory < 0 || fsync(directory) != 0)
        postconf_warn("flush the directory of %s: %s", editing->path, strerror(errno));
    file_close(directory);
    free(path);
}

static void finish_editing(struct editing *editing, const struct buffer *text)
{
    if (!buffer_ok(text)) {
        errno = EFBIG;
        abandon(editing, "write");
    }
    if (ftruncate(editing->temporary, 0) != 0 ||
        file_pwrite_all(editing->temporary, buffer_span(text).bytes, text->length, 0) != 0)
        abandon(editing, "write");
    take_over_owner(editing);
    if (fsync(editing->temporary) != 0)
        abandon(editing, "flush");
    if (rename(editing->temporary_path, editing->path) != 0)
        abandon(editing, "rename");
    postconf_remove_at_exit(NULL);
    sync_directory(editing);
    file_close(editing->temporary);
}

static struct conf_edit *allocate_edits(struct postconf *postconf, size_t count)
{
    struct conf_edit *edits = arena_alloc(&postconf->arena, (count ? count : 1) * sizeof(*edits));
    if (!edits)
        postconf_fatal("out of memory");
    return edits;
}

/* The action for which text is ready to be replaced. */
static void apply(struct editing *editing, enum conf_edit_file file, struct conf_edit *edits,
                  size_t count)
{
    struct buffer text;
    buffer_init(&text, NULL, POSTCONF_FILE_MAX_BYTES);
    conf_edit_text(editing->text, file, edits, count, &text);
    for (size_t i = 0; file == CONF_EDIT_MAIN && i < count; i++)
        if (edits[i].match_count > 1)
            postconf_warn("%s: multiple entries for \"%.*s\"", editing->path,
                          SPAN_PRINTF(edits[i].name));
    finish_editing(editing, &text);
    buffer_release(&text);
}

static enum conf_edit_action action_of(char letter)
{
    return letter == 'e' ? CONF_EDIT_SET : letter == 'X' ? CONF_EDIT_REMOVE : CONF_EDIT_COMMENT;
}

/* ---- main.cf ---- */

static void parse_assignment(struct postconf *postconf, struct conf_edit *edit, const char *text)
{
    struct span value;
    const char *reason;
    const bool has_sign = strchr(text, '=') != NULL;
    if (!conf_split_assignment(span_from_string(text), &edit->name, &value, &reason))
        postconf_fatal("missing %s: \"%s\"",
                       has_sign && *text == '=' ? "attribute name" : "'=' after attribute name",
                       text);
    edit->line = span_is_empty(value)
                     ? arena_format(&postconf->arena, "%.*s =", SPAN_PRINTF(edit->name))
                     : arena_format(&postconf->arena, "%.*s = %.*s", SPAN_PRINTF(edit->name),
                                    SPAN_PRINTF(value));
    if (!edit->line.bytes)
        postconf_fatal("out of memory");
}

static void warn_of_repetition(const struct conf_edit *edits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t later = i + 1; later < count; later++)
            if (edits[i].action == CONF_EDIT_SET && span_equals(edits[i].name, edits[later].name)) {
                postconf_warn("ignoring earlier request: '%.*s'", SPAN_PRINTF(edits[i].line));
                break;
            }
}

void postconf_edit_main(struct postconf *postconf, char action, char **arguments,
                        size_t argument_count)
{
    struct editing editing = {.postconf = postconf};
    struct conf_edit *edits = allocate_edits(postconf, argument_count);

    for (size_t i = 0; i < argument_count; i++) {
        edits[i].action = action_of(action);
        if (action == 'e') {
            parse_assignment(postconf, &edits[i], arguments[i]);
            continue;
        }
        edits[i].name = span_trim_spaces(span_from_string(arguments[i]));
        if (strchr(arguments[i], '=') || span_is_empty(edits[i].name))
            postconf_fatal("-%c requires a parameter name: \"%s\"", action, arguments[i]);
    }
    warn_of_repetition(edits, argument_count);
    begin_editing(&editing, "main.cf");
    apply(&editing, CONF_EDIT_MAIN, edits, argument_count);
}

/* ---- master.cf ---- */

/* NULL, or the first mistake; what is right is in *master all the same. */
static const char *find_mistake(struct postconf *postconf, struct span text, const char *file,
                                struct conf_master *master)
{
    struct conf_notices notices;
    conf_notices_init(&notices, &postconf->arena);
    if (conf_master_parse(text, span_from_string(file), &postconf->arena, master, &notices))
        return NULL;
    for (const struct conf_notice *notice = notices.first; notice; notice = notice->next)
        if (notice->level == CONF_NOTICE_ERROR)
            return notice->text;
    return "out of memory";
}

static void parse_text(struct postconf *postconf, struct span text, const char *file,
                       struct conf_master *master)
{
    const char *mistake = find_mistake(postconf, text, file, master);
    if (mistake)
        postconf_fatal("%s", mistake);
}

static struct span print_service(struct postconf *postconf, const struct conf_service *service,
                                 unsigned flags)
{
    struct buffer text;
    buffer_init(&text, &postconf->arena, POSTCONF_FILE_MAX_BYTES);
    conf_print_service(service, flags, NULL, &text);
    if (!buffer_ok(&text))
        postconf_fatal("out of memory");
    return span_first(buffer_span(&text), text.length - 1); /* without the line end */
}

/* "name/type=line of master.cf", or "name/type". */
static void parse_service_edit(struct postconf *postconf, char action, const char *argument,
                               struct conf_edit *edit)
{
    struct span key, line;
    struct postconf_pattern pattern;
    const bool has_sign = span_split_once(span_from_string(argument), '=', &key, &line);

    postconf_parse_pattern(&pattern, span_trim_spaces(key));
    if (span_is_empty(pattern.name) || span_is_empty(pattern.type) ||
        !span_is_empty(pattern.item) || has_sign != (action == 'e'))
        postconf_fatal("-M%c requires service_name/type%s: \"%s\"", action,
                       action == 'e' ? "=text" : "", argument);
    edit->action = action_of(action);
    edit->name = pattern.name;
    edit->type = pattern.type;
    if (action == 'e') {
        struct conf_master master;
        parse_text(postconf, span_trim_spaces(line), argument, &master);
        if (master.service_count != 1)
            postconf_fatal("bad field count: \"%s\"", argument);
        edit->line = print_service(postconf, &master.services[0], 0);
    }
}

/* -F and -P: "name/type/item=value", or with -X "name/type/item". */
struct item_edit {
    struct postconf_pattern pattern;
    struct span value;
    bool is_removal;
};

static void parse_item_edit(char kind, char action, const char *argument, struct item_edit *edit)
{
    struct span key;
    const bool has_sign = span_split_once(span_from_string(argument), '=', &key, &edit->value);

    postconf_parse_pattern(&edit->pattern, span_trim_spaces(key));
    edit->value = span_trim_spaces(edit->value);
    edit->is_removal = action == 'X';
    if (span_is_empty(edit->pattern.item) || has_sign != (action == 'e'))
        postconf_fatal("-%c%c requires service_name/type/%s%s: \"%s\"", kind, action,
                       kind == 'F' ? "field" : "parameter", action == 'e' ? "=value" : "",
                       argument);
    if (span_find_byte(edit->value, ' ') + span_find_byte(edit->value, '\t') <
            2 * edit->value.length &&
        (kind == 'P' || !span_equals(edit->pattern.item, SPAN("command"))))
        postconf_fatal("-%ce does not accept whitespace in parameter value", kind);
}

/* The service's line with the field, or the -o parameter, changed: built as text, because all
 * else of the service stays as it is. */
static void append_override(struct buffer *line, const struct conf_override *override)
{
    buffer_append_format(line, " -o {%.*s = %.*s}", SPAN_PRINTF(override->name),
                         SPAN_PRINTF(override->value));
}

static void append_parameters(struct buffer *line, const struct conf_service *service,
                              const struct item_edit *edit)
{
    size_t override = 0, i = 0;
    bool is_set = edit->is_removal;
    for (; i < service->option_count; i++) {
        if (!span_starts_with(service->arguments[i], SPAN("-o"))) {
            buffer_append_format(line, " {%.*s}", SPAN_PRINTF(service->arguments[i]));
            continue;
        }
        if (service->arguments[i].length == 2)
            i++;
        struct conf_override changed = service->overrides[override++];
        if (span_equals(changed.name, edit->pattern.item)) {
            if (is_set)
                continue; /* removed, or a second one of that name */
            changed.value = edit->value;
            is_set = true;
        }
        append_override(line, &changed);
    }
    if (!is_set) {
        const struct conf_override added = {edit->pattern.item, edit->value};
        append_override(line, &added);
    }
    for (; i < service->argument_count; i++)
        buffer_append_format(line, " {%.*s}", SPAN_PRINTF(service->arguments[i]));
}

static struct span change_service(struct postconf *postconf, char kind,
                                  const struct conf_service *service, const struct item_edit *edit)
{
    const size_t field = kind == 'F' ? postconf_find_field(edit->pattern.item) : SIZE_MAX;
    struct buffer line;
    struct conf_master changed;

    buffer_init(&line, &postconf->arena, POSTCONF_FILE_MAX_BYTES);
    for (size_t i = 0; i < CONF_COLUMN_COUNT; i++) {
        buffer_append_span(&line, i == field ? edit->value : service->columns[i]);
        buffer_append_byte(&line, ' ');
    }
    if (field == CONF_COLUMN_COUNT) {
        buffer_append_span(&line, edit->value);
    } else if (kind == 'F') {
        conf_print_command(service, NULL, &line);
    } else {
        buffer_append_span(&line, service->program);
        append_parameters(&line, service, edit);
    }
    if (!buffer_ok(&line))
        postconf_fatal("out of memory");
    parse_text(postconf, buffer_span(&line), "changed service", &changed);
    if (changed.service_count != 1)
        postconf_fatal("bad field count: \"%.*s\"", SPAN_PRINTF(buffer_span(&line)));
    return print_service(postconf, &changed.services[0], CONF_PRINT_FOLDED);
}

static void edit_items(struct editing *editing, char kind, char action, const char *argument)
{
    struct postconf *postconf = editing->postconf;
    struct item_edit edit;
    struct conf_master master;
    struct buffer text;
    size_t count = 0;

    parse_item_edit(kind, action, argument, &edit);
    if (kind == 'F')
        (void)!postconf_find_field(edit.pattern.item); /* ends the program when there is none */
    /* What is wrong elsewhere stays, for an edit of its own. */
    const char *mistake = find_mistake(postconf, editing->text, editing->path, &master);
    struct conf_edit *edits = allocate_edits(postconf, master.service_count);
    for (size_t i = 0; i < master.service_count; i++) {
        const struct conf_service *service = &master.services[i];
        if (!postconf_matches_service(&edit.pattern, service))
            continue;
        edits[count++] = (struct conf_edit){.name = conf_service_name(service),
                                            .type = service->columns[CONF_COLUMN_TYPE],
                                            .line = change_service(postconf, kind, service, &edit),
                                            .action = CONF_EDIT_SET,
                                            .line_number = service->line};
    }
    if (mistake && count == 0)
        postconf_fatal("%s", mistake);
    if (mistake)
        postconf_warn("%s", mistake);
    if (count == 0)
        postconf_warn("unmatched service_name/type: \"%s\"", argument);
    buffer_init(&text, &postconf->arena, POSTCONF_FILE_MAX_BYTES);
    conf_edit_text(editing->text, CONF_EDIT_MASTER, edits, count, &text);
    if (!buffer_ok(&text))
        postconf_fatal("out of memory");
    editing->text = buffer_span(&text);
}

void postconf_edit_master(struct postconf *postconf, char kind, char action, char **arguments,
                          size_t argument_count)
{
    struct editing editing = {.postconf = postconf};
    struct conf_edit *edits = allocate_edits(postconf, argument_count);

    if (kind == 'M') {
        for (size_t i = 0; i < argument_count; i++)
            parse_service_edit(postconf, action, arguments[i], &edits[i]);
        begin_editing(&editing, "master.cf");
        apply(&editing, CONF_EDIT_MASTER, edits, argument_count);
        return;
    }
    begin_editing(&editing, "master.cf");
    for (size_t i = 0; i < argument_count; i++)
        edit_items(&editing, kind, action, arguments[i]);
    apply(&editing, CONF_EDIT_MASTER, NULL, 0);
}
