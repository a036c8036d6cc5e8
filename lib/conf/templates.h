/* conf/templates - the words of reports as bounce gets them: bounce_template_file read, checked and
 * with $name replaced, in one line of its settings. Interface: conf_templates_*().
 * Callers: conf/instance (master), bounce, postconf -b. */
#ifndef CONF_TEMPLATES_H
#define CONF_TEMPLATES_H

#include "conf/instance.h"
#include "dsn/template.h"

/* Appends all templates as a file of their format: ours, with what the file at path gives in place
 * of them (path empty: nothing). is_expanded: with $name replaced as in main.cf, and times also as
 * $name_seconds, _minutes, _hours, _days and _weeks. On failure false; *error names the file, the
 * line, and what is wrong. */
MUST_USE bool conf_templates_render(const struct conf_instance *instance,
                                    const struct conf_service *service, struct span path,
                                    bool is_expanded, struct buffer *output,
                                    struct conf_error *error);

/* Such a file as the value of a setting, on one line; and read again. The texts live in the
 * arena. */
void conf_templates_escape(struct span text, struct buffer *output);
MUST_USE bool conf_templates_load(struct span setting, struct arena *arena,
                                  struct dsn_templates *templates);

#endif
