/* system/file - whole reads and writes on descriptors, and their flags.
 * Functions return -1 with errno on failure and repeat a call that EINTR ended. */
#ifndef SYSTEM_FILE_H
#define SYSTEM_FILE_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/arena.h"

/* Writes all of it at that offset: 0, or -1 (ENOSPC for a short write that makes no progress). */
MUST_USE int file_pwrite_all(int descriptor, const void *bytes, size_t length, uint64_t offset);
/* The same for several pieces; changes the vector. */
MUST_USE int file_pwritev_all(int descriptor, struct iovec *pieces, int piece_count,
                              uint64_t offset);
/* Reads exactly length bytes: 0, or -1; an early end is EIO. */
MUST_USE int file_pread_all(int descriptor, void *bytes, size_t length, uint64_t offset);
/* Reads up to length bytes, stopping only at the end of the file: the count, or -1. */
MUST_USE ssize_t file_pread_upto(int descriptor, void *bytes, size_t length, uint64_t offset);
/* The whole of a file below a directory descriptor (AT_FDCWD for none) into the arena; -1 with
 * EFBIG past maximum_bytes. */
MUST_USE int file_read_whole(int directory, const char *path, size_t maximum_bytes,
                             struct arena *arena, struct span *contents);
/* renameat(), also where a signal ends it (file systems over a network or in a process). It may
 * have happened then, which the second try shows as ENOENT: from must be a name that only the
 * caller removes, to one that nobody else makes. */
MUST_USE int file_rename(int from_directory, const char *from, int to_directory, const char *to);
MUST_USE int file_set_nonblocking(int descriptor);
MUST_USE int file_set_close_on_exec(int descriptor, int is_closed);
/* How many descriptors this process may have; 0 when it cannot be told. */
MUST_USE size_t file_descriptor_limit(void);
/* close() that leaves errno alone; does nothing for a negative descriptor. */
void file_close(int descriptor);

#endif
