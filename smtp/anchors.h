/* smtp/anchors - trust anchors for servers that no authority shall vouch for: files that are read
 * before the sandbox closes.
 * Interface: anchors_load(), anchors_find(). Callers: smtp/process, smtp/protection. */
#ifndef SMTP_ANCHORS_H
#define SMTP_ANCHORS_H

#include "conf/smtp.h"
#include "tls/authorities.h"

enum { ANCHORS_FILES_MAX = 32, ANCHORS_FILE_MAX_BYTES = 1 << 20 };

struct anchors_file {
    struct span path;
    struct tls_dane_record *records;
    size_t count;
};

struct anchors {
    struct anchors_file files[ANCHORS_FILES_MAX];
    size_t count;
};

/* All that smtp_tls_trust_anchor_file and smtp_tls_policy_trust_anchor_files name. False, with
 * *problem filled, where one cannot be read. */
MUST_USE bool anchors_load(const struct conf_smtp *settings, struct arena *arena,
                           struct anchors *anchors, char problem[TLS_AUTHORITIES_PROBLEM_BYTES]);
/* NULL for one that was not loaded. */
MUST_USE const struct anchors_file *anchors_find(const struct anchors *anchors, struct span path);

#endif
