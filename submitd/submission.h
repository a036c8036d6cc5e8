/* submitd/submission - in what a submission server differs from one that takes mail of other
 * servers. Interface: submission_prepare(). Callers: main. */
#ifndef SUBMITD_SUBMISSION_H
#define SUBMITD_SUBMISSION_H

#include "service/service.h"

/* As struct service_definition says. */
MUST_USE bool submission_prepare(struct service *service);

#endif
