/* tools/postconf - what the files of the postconf command share. */
#ifndef POSTCONF_H
#define POSTCONF_H

#include "conf/edit.h"
#include "conf/instance.h"
#include "conf/print.h"

enum postconf_class {
    POSTCONF_BUILTIN = 1 << 0, /* rows of the catalogue */
    POSTCONF_SERVICE = 1 << 1, /* TRANSPORT_suffix */
    POSTCONF_USER = 1 << 2     /* defined in main.cf and mentioned somewhere */
};

enum { POSTCONF_FILE_MAX_BYTES = 8 * 1024 * 1024 };

struct postconf {
    struct arena arena;
    struct conf_instance instance;
    const char *directory;
    unsigned classes;
    unsigned print_flags;
    bool shows_defaults; /* -d */
    bool shows_set_only; /* -n */
    bool expands;        /* -x */
    bool is_verbose;     /* -v */
    bool is_quiet;       /* -q */
    struct buffer output;
};

/* "postconf: fatal: ..." and exit status 1; "postconf: warning: ...". */
NORETURN void postconf_fatal(const char *format, ...) PRINTF_LIKE(1, 2);
void postconf_warn(const char *format, ...) PRINTF_LIKE(1, 2);

/* A file that postconf_fatal() removes; NULL: none any more. */
void postconf_remove_at_exit(const char *path);

/* Parameters by name, or all of the classes. */
void postconf_list(struct postconf *postconf, char **names, size_t name_count);
/* -M, -F and -P: services, their columns, their -o parameters; patterns may be none. */
void postconf_list_services(struct postconf *postconf, char kind, char **patterns,
                            size_t pattern_count);
void postconf_list_tables(struct postconf *postconf);
/* -a, -A, -b, -l, -t and -T mode. */
void postconf_show(struct postconf *postconf, char what, const char *mode, char **arguments,
                   size_t argument_count);
/* What conf/usage finds, as warnings. */
void postconf_warn_of_usage(struct postconf *postconf, bool is_of_master_only);

/* Changes main.cf: action is 'e', 'X' or '#'. */
void postconf_edit_main(struct postconf *postconf, char action, char **arguments,
                        size_t argument_count);
/* Changes master.cf; kind is 'M', 'F' or 'P'. */
void postconf_edit_master(struct postconf *postconf, char kind, char action, char **arguments,
                          size_t argument_count);

/* ---- shared by the services' files ---- */

/* "name", "name/type" or "name/type/item" with "*" for any part. */
struct postconf_pattern {
    struct span name;
    struct span type; /* empty: any */
    struct span item; /* empty: all */
};

void postconf_parse_pattern(struct postconf_pattern *pattern, struct span text);
MUST_USE bool postconf_matches_service(const struct postconf_pattern *pattern,
                                       const struct conf_service *service);
/* conf_service_fields: of -F, in the order of columns; the last is the command. */
enum { POSTCONF_FIELD_COUNT = CONF_COLUMN_COUNT + 1 };
/* Its number, or fatal. */
MUST_USE size_t postconf_find_field(struct span name);

#endif
