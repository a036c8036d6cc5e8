/* ipc/helper - see helper.h. */
#include "ipc/helper.h"

static void on_closed(struct ipc_channel *channel UNUSED, const char *reason UNUSED, void *context)
{
    struct ipc_channel **place = context;
    ipc_channel_destroy(place);
}

void ipc_helper_attach(struct ipc_channel **place, struct loop *loop, int descriptor,
                       enum ipc_role role)
{
    static const struct ipc_permission nothing[] = {{0, 0}};
    static const struct ipc_channel_handlers handlers = {NULL, on_closed, nothing};
    ipc_channel_destroy(place);
    *place = ipc_channel_create(loop, descriptor, role, &handlers, place);
}
