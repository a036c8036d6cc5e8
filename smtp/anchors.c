/* smtp/anchors - see anchors.h. */
#include "anchors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "system/file.h"

const struct anchors_file *anchors_find(const struct anchors *anchors, struct span path)
{
    for (size_t i = 0; i < anchors->count; i++)
        if (span_equals(anchors->files[i].path, path))
            return &anchors->files[i];
    return NULL;
}

static bool load_file(struct span path, struct arena *arena, struct anchors_file *file,
                      char problem[TLS_AUTHORITIES_PROBLEM_BYTES])
{
    struct span pem;
    const char *name = arena_string(arena, path);
    *file = (struct anchors_file){.path = path};
    file->records = arena_alloc(arena, TLS_ANCHORS_MAX * sizeof(file->records[0]));
    if (!name || !file->records) {
        (void)snprintf(problem, TLS_AUTHORITIES_PROBLEM_BYTES, "out of memory");
        return false;
    }
    if (file_read_whole(AT_FDCWD, name, ANCHORS_FILE_MAX_BYTES, arena, &pem) != 0) {
        (void)snprintf(problem, TLS_AUTHORITIES_PROBLEM_BYTES,
                       "cannot read trust anchors from %s: %s", name, strerrordesc_np(errno));
        return false;
    }
    if (tls_anchors_parse(pem, arena, file->records, &file->count) == PARSE_OK)
        return true;
    (void)snprintf(problem, TLS_AUTHORITIES_PROBLEM_BYTES,
                   "%s: certificates and public keys in PEM are needed, at most %d", name,
                   (int)TLS_ANCHORS_MAX);
    return false;
}

bool anchors_load(const struct conf_smtp *settings, struct arena *arena, struct anchors *anchors,
                  char problem[TLS_AUTHORITIES_PROBLEM_BYTES])
{
    const struct span lists[] = {settings->smtp_tls_trust_anchor_file,
                                 settings->smtp_tls_policy_trust_anchor_files};
    anchors->count = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        struct span rest = lists[i], path;
        while (span_next_word(&rest, ", \t\r\n", &path)) {
            if (anchors_find(anchors, path))
                continue;
            if (anchors->count == ANCHORS_FILES_MAX) {
                (void)snprintf(problem, TLS_AUTHORITIES_PROBLEM_BYTES,
                               "more than %d files of trust anchors", (int)ANCHORS_FILES_MAX);
                return false;
            }
            if (!load_file(path, arena, &anchors->files[anchors->count], problem))
                return false;
            anchors->count++;
        }
    }
    return true;
}
