/* conf/pipe - the settings of pipe, from catalogue/pipe.def. */
#ifndef CONF_PIPE_H
#define CONF_PIPE_H

#include "conf/part.h"

struct conf_pipe {
#include "conf/catalogue/fields.h"
#include "conf/catalogue/pipe.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_pipe;

#endif
