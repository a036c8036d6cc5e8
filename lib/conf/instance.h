/* conf/instance - the whole configuration of one instance: main.cf, master.cf, what the machine
 * says, and the settings of each service made from them. Callers: master, the command-line tools,
 * tests of daemons. */
#ifndef CONF_INSTANCE_H
#define CONF_INSTANCE_H

#include "base/buffer.h"
#include "conf/expand.h"
#include "conf/main_cf.h"
#include "conf/master_cf.h"
#include "conf/part.h"

/* Enough for any configuration; master and the tools read one at a time. */
enum { CONF_INSTANCE_ARENA_BYTES = 32 * 1024 * 1024 };

struct conf_interface {
    bool is_ipv6;
    uint8_t address[16];
    uint8_t prefix_bits;
};

/* What defaults take from the machine. */
struct conf_host {
    struct span hostname; /* gethostname() */
    struct conf_interface *interfaces;
    size_t interface_count;
};

struct conf_instance {
    struct arena *arena;
    struct span directory;
    struct conf_host host;
    struct conf_main main;
    struct conf_master master;
    bool is_stressed; /* $stress is "yes" where nobody set it */
};

/* Which directory: the argument of -c (may be NULL), else MAIL_CONFIG, else the built-in one. */
MUST_USE const char *conf_directory(const char *argument);
/* The built-in one, whatever the environment says. */
const char *conf_directory_built_in(void);
/* Asks the machine. On failure false and errno. */
MUST_USE bool conf_host_discover(struct arena *arena, struct conf_host *host);
/* Reads main.cf and master.cf in the directory. False when an error was noted; what could be read
 * is there nevertheless. A missing master.cf is an error only where needs_master says so. */
MUST_USE bool conf_instance_read(const char *directory, bool needs_master, struct arena *arena,
                                 struct conf_instance *instance, struct conf_notices *notices);
/* The same from texts, asking nobody: for tests and the fuzzer. */
MUST_USE bool conf_instance_parse(struct span main_text, struct span master_text,
                                  const struct conf_host *host, struct arena *arena,
                                  struct conf_instance *instance, struct conf_notices *notices);

/* The raw value of a parameter, without or with a service's -o (service may be NULL): from -o,
 * main.cf, or a default. False when nobody knows the name. */
MUST_USE bool conf_instance_find(const struct conf_instance *instance,
                                 const struct conf_service *service, struct span name,
                                 struct conf_definition *definition);
/* The expanded value. On failure false and *error, which names file, line and parameter. */
MUST_USE bool conf_instance_value(const struct conf_instance *instance,
                                  const struct conf_service *service, struct span name,
                                  struct buffer *output, struct conf_error *error);
/* The same, checked against its row; a mistake is noted, with file and line. */
MUST_USE bool conf_instance_checked_value(const struct conf_instance *instance,
                                          const struct conf_service *service,
                                          const struct conf_parameter *parameter, struct span name,
                                          struct buffer *output, struct conf_notices *notices);
/* "main.cf, line 7:" or "master.cf, line 3: -o" or "default", for messages about a name's value. */
MUST_USE struct span conf_instance_origin(const struct conf_instance *instance,
                                          const struct conf_service *service, struct span name);
/* Expands any text in the service's scope. */
MUST_USE bool conf_instance_expand(const struct conf_instance *instance,
                                   const struct conf_service *service, struct span text,
                                   struct buffer *output, struct conf_error *error);

/* Appends the settings of a part for a service, as conf_load_text() reads them. Every mistake is
 * noted; false when there was one. */
MUST_USE bool conf_instance_settings(const struct conf_instance *instance,
                                     const struct conf_service *service,
                                     const struct conf_part *part, struct buffer *output,
                                     struct conf_notices *notices);
/* A sealed memory file with the text: a descriptor, or -1 and errno. */
MUST_USE int conf_seal(struct span text, const char *name);
/* Both at once, and loaded: for tools. */
MUST_USE bool conf_instance_load(const struct conf_instance *instance,
                                 const struct conf_service *service, const struct conf_part *part,
                                 struct arena *arena, void *settings, struct conf_notices *notices);
/* Settings of a part from the text of a main.cf, defaults for the rest, hostname test.example.org:
 * for the tests of daemons. */
MUST_USE bool conf_test_settings(const struct conf_part *part, const char *main_text,
                                 struct arena *arena, void *settings, struct conf_error *error);

#endif
