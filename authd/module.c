/* authd/module - see module.h. */
#include "module.h"

#include <dlfcn.h>

bool module_load(const char *library, const struct module_symbol *symbols, size_t count,
                 struct buffer *reason)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        buffer_append_format(reason, "cannot load %s: install the package that has it", library);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(handle, symbols[i].name);
        if (!found) {
            buffer_append_format(reason, "%s has no %s", library, symbols[i].name);
            return false;
        }
        /* POSIX lets dlsym() return functions so; C has no conversion for it. */
        memcpy(symbols[i].function, &found, sizeof(found));
    }
    return true;
}
