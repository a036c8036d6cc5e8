/* conf/edit - the text of main.cf or master.cf with some entries set, removed or commented out.
 * Everything else stays as it is, byte for byte: order, comments (also those between the lines of
 * an entry), entries that are wrong. Interface: conf_edit_text(). Pure. Callers: tools/postconf. */
#ifndef CONF_EDIT_H
#define CONF_EDIT_H

#include "base/buffer.h"

enum conf_edit_action { CONF_EDIT_SET, CONF_EDIT_REMOVE, CONF_EDIT_COMMENT };
enum conf_edit_file { CONF_EDIT_MAIN, CONF_EDIT_MASTER };

struct conf_edit {
    struct span name; /* of the parameter, or of the service, where "*" is any */
    struct span type; /* of the service, where "*" is any; unused in main.cf */
    struct span line; /* SET: what replaces the entry, without the final line end */
    enum conf_edit_action action;
    uint32_t line_number; /* of the entry meant, where several may have the name; 0: all of them */
    size_t match_count;   /* result: entries that had the name */
};

/* Appends the new text. Of edits with one name the last counts; an entry that is set and not there
 * is added at the end. The output's limit is tested by the caller. */
void conf_edit_text(struct span text, enum conf_edit_file file, struct conf_edit *edits,
                    size_t edit_count, struct buffer *output);

#endif
