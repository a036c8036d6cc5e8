/* connectd/paths - which sockets may be connected to: those that a setting names.
 * Interface: paths_permit(). Pure. Callers: connectd/serve. */
#ifndef CONNECTD_PATHS_H
#define CONNECTD_PATHS_H

#include "base/span.h"

/* setting: paths, separated by commas or white space. One that ends with "/" permits what is in
 * that directory or below; a next hop ("unix:PATH", "lmtp:unix:PATH") permits its path; any other
 * word without a "/" permits nothing, so that settings which may name a socket can be listed as
 * they are. A path with ".." in it is never permitted. */
MUST_USE bool paths_permit(struct span setting, struct span path);

#endif
