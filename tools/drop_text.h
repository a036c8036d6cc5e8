/* tools/drop_text - a dropped message (posthouse-drop(5)) as text, for postcat. */
#ifndef TOOLS_DROP_TEXT_H
#define TOOLS_DROP_TEXT_H

#include "base/span.h"

/* The file begins as a dropped message does. */
MUST_USE bool drop_text_is(struct span beginning);
/* Prints the parts asked for. NULL, or why it cannot be shown whole. */
MUST_USE const char *drop_text_show(int descriptor, const char *name, bool shows_envelope,
                                    bool shows_header, bool shows_body);

#endif
