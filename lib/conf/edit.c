/* conf/edit - the text of main.cf or master.cf with some entries changed. */
#include "conf/edit.h"

#include "base/ascii.h"

/* What becomes of the lines of the entry that is being passed. */
enum line_fate { LINE_KEPT, LINE_DROPPED, LINE_COMMENTED };

struct editor {
    enum conf_edit_file file;
    struct conf_edit *edits;
    size_t edit_count;
    struct buffer *output;
    enum line_fate fate;
    uint32_t line_number;
};

static bool is_noise(struct span line)
{
    size_t i = 0;
    while (i < line.length && ascii_is_space(line.bytes[i]))
        i++;
    return i == line.length || line.bytes[i] == '#';
}

static bool matches(struct span pattern, struct span text)
{
    return span_equals(pattern, SPAN("*")) || span_equals(pattern, text);
}

static struct conf_edit *find_edit(const struct editor *editor, struct span line)
{
    struct conf_edit *found = NULL;
    struct span rest = line, name, type = span_empty();

    /* A name ends at white space or at the sign; a service has its type in the second column. */
    if (!span_next_word(&rest, editor->file == CONF_EDIT_MAIN ? " \t\r\v\f=" : " \t\r\v\f", &name))
        return NULL;
    if (editor->file == CONF_EDIT_MASTER && !span_next_word(&rest, " \t\r\v\f", &type))
        return NULL;
    for (size_t i = 0; i < editor->edit_count; i++) {
        struct conf_edit *edit = &editor->edits[i];
        if (edit->line_number && edit->line_number != editor->line_number)
            continue;
        if (editor->file == CONF_EDIT_MAIN ? span_equals(edit->name, name)
                                           : matches(edit->name, name) && matches(edit->type, type))
            found = edit;
    }
    return found;
}

static void append_line(struct buffer *output, struct span line)
{
    buffer_append_span(output, line);
    buffer_append_byte(output, '\n');
}

/* The first line of an entry. */
static void begin_entry(struct editor *editor, struct span line)
{
    struct conf_edit *edit = find_edit(editor, line);

    editor->fate = LINE_KEPT;
    if (!edit)
        return;
    edit->match_count++;
    editor->fate = edit->action == CONF_EDIT_COMMENT ? LINE_COMMENTED : LINE_DROPPED;
    if (edit->action == CONF_EDIT_SET)
        append_line(editor->output, edit->line);
}

static bool is_last_of_its_name(const struct editor *editor, size_t index)
{
    for (size_t i = index + 1; i < editor->edit_count; i++)
        if (span_equals(editor->edits[i].name, editor->edits[index].name) &&
            span_equals(editor->edits[i].type, editor->edits[index].type))
            return false;
    return true;
}

void conf_edit_text(struct span text, enum conf_edit_file file, struct conf_edit *edits,
                    size_t edit_count, struct buffer *output)
{
    struct editor editor = {file, edits, edit_count, output, LINE_KEPT, 0};

    for (size_t i = 0; i < edit_count; i++)
        edits[i].match_count = 0;
    while (!span_is_empty(text)) {
        const size_t end = span_find_byte(text, '\n');
        const struct span line = span_first(text, end);
        text = span_after(text, end + 1);
        editor.line_number++;
        if (is_noise(line)) {
            append_line(output, line);
            continue;
        }
        if (!ascii_is_space(line.bytes[0]))
            begin_entry(&editor, line);
        if (editor.fate == LINE_COMMENTED)
            buffer_append_byte(output, '#');
        if (editor.fate != LINE_DROPPED)
            append_line(output, line);
    }
    for (size_t i = 0; i < edit_count; i++)
        if (edits[i].action == CONF_EDIT_SET && edits[i].match_count == 0 &&
            is_last_of_its_name(&editor, i))
            append_line(output, edits[i].line);
}
