/* sandbox/paths - a list of paths for a profile, gathered while settings are read.
 * All are optional (SANDBOX_PATH_OPTIONAL). What is beyond the capacity is left out: it cannot be
 * opened then.
 * Interface: sandbox_paths_add(), sandbox_paths_add_directory(), sandbox_paths_add_services().
 * Callers: addrd/dispatcher, authd/server, authd/relay, lib/table. */
#ifndef SANDBOX_PATHS_H
#define SANDBOX_PATHS_H

#include "base/arena.h"
#include "sandbox/sandbox.h"

enum { SANDBOX_PATHS_MAX = 64 };

/* All zero is the empty list. */
struct sandbox_paths {
    struct sandbox_path all[SANDBOX_PATHS_MAX];
    size_t count;
};

/* The path stays the caller's, and lasts as long as the list. One that is there already is given
 * that access, too. */
void sandbox_paths_add(struct sandbox_paths *paths, const char *path, unsigned access);
/* The directory of a file, since a file that is made anew is another one in it. False when memory
 * is out. */
bool sandbox_paths_add_directory(struct sandbox_paths *paths, struct span file, unsigned access,
                                 struct arena *arena);
/* What name services, and the libraries that they are made of, read and connect to. */
void sandbox_paths_add_services(struct sandbox_paths *paths);

#endif
