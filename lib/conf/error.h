/* conf/error - the settings of error, from catalogue/error.def. */
#ifndef CONF_ERROR_H
#define CONF_ERROR_H

#include "conf/part.h"

struct conf_error_settings { /* struct conf_error is a mistake in a configuration */
#include "conf/catalogue/fields.h"
#include "conf/catalogue/error.def"
#include "conf/catalogue/end.h"
};
extern const struct conf_part conf_part_error;

#endif
