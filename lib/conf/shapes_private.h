/* conf/shapes_private - what the files of conf/shapes share: those that look at the machine have a
 * file of their own, conf/shapes_machine.c. */
#ifndef CONF_SHAPES_PRIVATE_H
#define CONF_SHAPES_PRIVATE_H

#include "conf/shapes.h"

/* "ORIGIN NAME = VALUE: REASON". */
void conf_shape_complain(const struct conf_shape_question *question, struct conf_notices *notices,
                         enum conf_notice_level level, const char *format, ...) PRINTF_LIKE(4, 5);

typedef void conf_shape_checker(const struct conf_shape_question *question,
                                struct conf_notices *notices);
conf_shape_checker conf_shape_command;    /* a program that can be run */
conf_shape_checker conf_shape_directory;  /* one that is there */
conf_shape_checker conf_shape_files;      /* a list of files that can be read */
conf_shape_checker conf_shape_interfaces; /* addresses, and names that have some */
conf_shape_checker conf_shape_login_name; /* a format of authd(8) */
conf_shape_checker conf_shape_owner;      /* user:group */
conf_shape_checker conf_shape_quota;      /* 100000000S,1000C */

#endif
