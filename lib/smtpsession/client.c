/* smtpsession/client - who a client is, and what it may do for that. See session_private.h. */
#include "smtp/data.h"
#include "smtpsession/session_private.h"

/* What its name and address let it do. */
static void judge_client(struct smtpsession *session)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    const struct ip_address *address = &session->address;
    const struct span name = session->has_name ? session->peer.name : span_empty();
    session->is_trusted = ip_network_list_has(&settings->trusted_networks, address);
    session->is_local = host_list_has(&settings->local_clients, address, name);
    session->takes_bare_lf =
        settings->takes_bare_lf || host_list_has(&settings->bare_lf_clients, address, name);
    session->repairs = 0;
    if (session->takes_bare_lf)
        session->repairs = (unsigned)SMTP_DATA_REPAIR_LF |
                           (settings->replaces_bare_cr ? (unsigned)SMTP_DATA_REPAIR_CR : 0);
}

void session_identify_client(struct smtpsession *session)
{
    struct smtpsession_service *service = session->service;
    session->peer.name = SPAN("unknown");
    session->has_name = false;
    session->peer.address = ip_address_format(&session->address, session->address_text);
    if (service->settings.looks_up_client && session->address.family != IP_FAMILY_NONE) {
        const struct span name = service->backend.find_client_name(
            service->backend.context, &session->address, &session->arena);
        session->has_name = name.length > 0;
        if (session->has_name)
            session->peer.name = name;
    }
    judge_client(session);
}
