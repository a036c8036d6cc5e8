/* conf/print - settings and services as postconf shows them and as edited files hold them.
 * White space between words becomes one space; folded text breaks at column 80 and continues
 * with four spaces, a service's -o options each on a line of their own.
 * Interface: conf_print_*(). Pure. Callers: tools/postconf. */
#ifndef CONF_PRINT_H
#define CONF_PRINT_H

#include "base/buffer.h"
#include "conf/master_cf.h"

enum {
    CONF_PRINT_FOLDED = 1 << 0,
    CONF_PRINT_NAME_ONLY = 1 << 1,
    CONF_PRINT_VALUE_ONLY = 1 << 2,
    CONF_PRINT_JSON = 1 << 3 /* an object {"name": "value"} a line */
};

/* The names of the columns of master.cf, the command last. */
extern const char *const conf_service_fields[CONF_COLUMN_COUNT + 1];

/* Replaces the value of a -o option before it is shown; NULL shows it as written. */
struct conf_print_values {
    struct span (*value)(void *context, const struct conf_service *service, struct span text);
    void *context;
};

/* "name = value", the name alone or the value alone, with its line end. */
void conf_print_setting(struct span name, struct span value, unsigned flags, struct buffer *output);
/* A line of master.cf, in columns. */
void conf_print_service(const struct conf_service *service, unsigned flags,
                        const struct conf_print_values *values, struct buffer *output);
/* The program and its arguments as one text without a line end, in the form of a value. */
void conf_print_command(const struct conf_service *service, const struct conf_print_values *values,
                        struct buffer *output);
/* "name = " and the command, folded by its options. */
void conf_print_command_setting(struct span name, const struct conf_service *service,
                                unsigned flags, const struct conf_print_values *values,
                                struct buffer *output);

#endif
