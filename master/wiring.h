/* master/wiring - which programs there are, and who may talk to whom. Pure data.
 * Callers: master/plan, master/fleet, the tests. Design: ARCHITECTURE.md, "Wiring". */
#ifndef MASTER_WIRING_H
#define MASTER_WIRING_H

#include "ipc/role.h"

enum wiring_trait {
    /* One process per core, where others have one. */
    WIRING_PER_CORE = 1 << 0,
    /* A process is there even when master.cf does not name the program. */
    WIRING_ALWAYS = 1 << 1,
    /* One service of this program; master.cf may name more (Postfix has bounce, defer and trace),
     * they are left out. */
    WIRING_ONE_SERVICE = 1 << 2,
    /* One process at a time owns what it works on (the queue's lock): its successor is started when
     * it has gone. */
    WIRING_EXCLUSIVE = 1 << 3,
    /* The program listens: master.cf says where. */
    WIRING_LISTENS = 1 << 4,
    /* It has a directory of its own below data_directory. */
    WIRING_HAS_DATA = 1 << 5,
    /* Everything it does is for one owner, when virtual_uid_maps is static. */
    WIRING_STATIC_OWNER = 1 << 6,
    /* What follows the program in master.cf says which command it runs. */
    WIRING_RUNS_COMMAND = 1 << 7,
    /* A process is there, named in master.cf or not, when one of its clients is. Its row comes
     * after theirs. */
    WIRING_FOR_CLIENTS = 1 << 8,
    /* The column maxproc says how many there are, not only how many at most; one by default. */
    WIRING_AS_MANY_AS_SAID = 1 << 9,
};

/* In which order processes are told to leave: a stage waits for the ones before it. */
enum wiring_stage {
    WIRING_STAGE_WORK, /* takes mail in, delivers it */
    WIRING_STAGE_QUEUE,
    WIRING_STAGE_HELP,
    WIRING_STAGE_LOG,
    WIRING_STAGE_COUNT
};

struct wiring_program {
    const char *program; /* the last column of master.cf, and the file in daemon_directory */
    enum ipc_role role;
    unsigned traits; /* of enum wiring_trait */
    enum wiring_stage stage;
    const char *public_socket; /* for the command-line tools, below public/; NULL: none */
    const char *public_stream; /* for programs that read the queue's list there; NULL: none */
};

/* Rows are only ever appended: a row's number is what daemon_uid_base is added to. */
extern const struct wiring_program wiring_programs[];
extern const size_t wiring_program_count;

/* Which processes of a pair are wired when a reload has made two generations of them. There is one
 * qmgr, and whoever is still finishing what it began before the reload needs the present one. */
enum wiring_reach {
    WIRING_SAME_GENERATION,
    WIRING_SERVER_MAY_BE_NEWER,
    WIRING_CLIENT_MAY_BE_NEWER,
};

struct wiring_line {
    enum ipc_role client;
    enum ipc_role server;
    enum wiring_reach reach;
};

extern const struct wiring_line wiring_lines[];
extern const size_t wiring_line_count;

/* NULL when there is no such program. */
MUST_USE const struct wiring_program *wiring_find(struct span program);
/* The row's number. */
MUST_USE size_t wiring_number(const struct wiring_program *program);
/* NULL when the client may not talk to the server. */
MUST_USE const struct wiring_line *wiring_between(enum ipc_role client, enum ipc_role server);
/* May this client have a channel to this server? */
MUST_USE bool wiring_joins(enum ipc_role client, uint32_t client_generation, enum ipc_role server,
                           uint32_t server_generation);

#endif
