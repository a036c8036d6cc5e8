/* sandbox/paths - see paths.h. */
#include "sandbox/paths.h"

#include <string.h>

static const char *const services[] = {"/etc",       "/usr/lib",   "/usr/lib64",  "/lib",
                                       "/lib64",     "/run",       "/var/run",    "/var/lib",
                                       "/usr/share", "/proc/self", "/dev/urandom"};

void sandbox_paths_add(struct sandbox_paths *paths, const char *path, unsigned access)
{
    for (size_t i = 0; i < paths->count; i++) {
        if (strcmp(paths->all[i].path, path) == 0) {
            paths->all[i].access |= access;
            return;
        }
    }
    if (paths->count < SANDBOX_PATHS_MAX)
        paths->all[paths->count++] = (struct sandbox_path){path, access | SANDBOX_PATH_OPTIONAL};
}

bool sandbox_paths_add_directory(struct sandbox_paths *paths, struct span file, unsigned access,
                                 struct arena *arena)
{
    const size_t slash = span_find_last_byte(file, '/');
    const char *directory = slash == file.length ? "."
                            : slash == 0         ? "/"
                                                 : arena_string(arena, span_first(file, slash));
    if (directory)
        sandbox_paths_add(paths, directory, access);
    return directory != NULL;
}

void sandbox_paths_add_services(struct sandbox_paths *paths)
{
    for (size_t i = 0; i < ARRAY_LENGTH(services); i++)
        sandbox_paths_add(paths, services[i], SANDBOX_PATH_READ);
}
