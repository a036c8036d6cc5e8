/* smtp/agent - this process as qmgr sees it: orders come in, results go out.
 * A result is kept, and repeated to the next qmgr if this one dies, until it is acknowledged; the
 * message's descriptor stays open that long, since its lock tells a new qmgr that somebody still
 * works on the message.
 * Interface: agent_init(), agent_attach_qmgr(), agent_report_*(). Callers: smtp/main,
 * smtp/delivery. */
#ifndef SMTP_AGENT_H
#define SMTP_AGENT_H

#include "addr/client.h"
#include "anchors.h"
#include "base/buffer.h"
#include "conf/smtp.h"
#include "dns/client.h"
#include "ipc/channel.h"
#include "keep.h"
#include "maillog/log.h"
#include "queuefile/digest.h"
#include "report/client.h"
#include "sts/client.h"

struct delivery;
struct tls_client;
struct tls_keys;

/* One DELIVER_RESULT. */
struct agent_report {
    struct list_link link;
    uint32_t serial;
    bool is_last;
    bool was_sent; /* over the channel that is open now */
    bool has_site;
    bool is_corrupt;
    bool has_connection;
    struct outcome site;   /* its reason is the delivery's arena's */
    struct buffer results; /* heap */
};

/* A delivery's reports: the one being filled, and those that wait for acknowledgement. */
struct agent_reports {
    struct buffer pending; /* RECORDS of RECIPIENT_RESULT; heap */
    struct list sent;
    uint32_t last_serial;
    bool is_complete; /* the last one is among them */
};

struct agent_digest {
    struct list_link link;
    struct digest digest;
};

struct agent {
    struct loop *loop;
    struct maillog *log;
    const struct conf_smtp *settings;
    struct dns_client dns;
    struct addr_client addr;
    struct connect_client connector;
    struct relay_auth_client authenticator;
    struct ipc_channel *authenticator_channel;
    struct sts_client sts; /* which MTA-STS policies domains have */
    struct connection_context connections;
    struct ipc_channel *qmgr;
    struct list deliveries; /* running, or with reports that are not acknowledged */
    size_t former_count;    /* of them, those that qmgrs before the present one ordered */
    struct list idle_digests;
    struct keep keep;
    struct loop_timer resend_timer;
    struct loop_timer drain_timer;
    struct ip_address *own; /* addresses at which this machine takes mail */
    size_t own_count;
    struct span hosts_file; /* its text, where names are looked for in it; else empty */
    uint16_t default_port;
    struct tables tables;
    struct tls_client *tls;
    struct tls_keys *keys; /* of certificates that we show */
    struct anchors anchors;
    struct report_client reports;
    const struct client_list *watched_hosts; /* debug_peer_list; NULL: none */
    const EVP_MD *fingerprint_digest;
    bool speaks_lmtp;
    bool assumes_final; /* lmtp_assume_final */
    bool is_draining;
    void (*on_idle)(void *context); /* while draining: the last delivery has ended */
    void *context;
};

/* The fields from own on are filled already. */
void agent_init(struct agent *agent, struct loop *loop, struct maillog *log,
                const struct conf_smtp *settings);
/* Each takes over a channel end in place of the one before. */
void agent_attach_qmgr(struct agent *agent, int descriptor);
void agent_attach_dnsd(struct agent *agent, int descriptor);
void agent_attach_addrd(struct agent *agent, int descriptor);
void agent_attach_connectd(struct agent *agent, int descriptor);
void agent_attach_authd(struct agent *agent, int descriptor);
/* Takes no further deliveries; calls on_idle when every one has ended, perhaps at once. */
void agent_drain(struct agent *agent, void (*on_idle)(void *context), void *context);

void agent_reports_init(struct agent_reports *reports);
void agent_reports_release(struct agent_reports *reports);
/* Adds one recipient's result to the report being filled. */
void agent_report_add(struct delivery *delivery, const struct ipc_recipient_result *result);
/* Sends what was added; the last report is sent even when it is empty. site: not OK when the next
 * hop itself failed; may be NULL. */
void agent_report_send(struct delivery *delivery, bool is_last, const struct outcome *site,
                       bool has_connection);

/* A digest context for a while; NULL when libcrypto gives none. */
MUST_USE struct agent_digest *agent_take_digest(struct agent *agent);
void agent_give_digest(struct agent *agent, struct agent_digest *digest);

#endif
