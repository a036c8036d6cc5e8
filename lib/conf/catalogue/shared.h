/* conf/catalogue/shared - rows that several parts have, written once. A .def file takes one with
 * CONF_SHARED(name). */
#ifndef CONF_CATALOGUE_SHARED_H
#define CONF_CATALOGUE_SHARED_H

/* clang-format off */
#define CONF_SHARED(name) CONF_SHARED_##name

/* Who we are. */
#define CONF_SHARED_myhostname CONF_TEXT(myhostname, "", 1, 255, \
    "This machine's name in SMTP and in Received headers. Unset: the system's, completed with $mydomain.")
#define CONF_SHARED_mydomain CONF_TEXT(mydomain, "", 1, 255, \
    "The domain of this machine. Unset: $myhostname without its first label.")
#define CONF_SHARED_myorigin CONF_TEXT(myorigin, "$myhostname", 1, 255, \
    "The domain that completes addresses without one.")
#define CONF_SHARED_mail_name CONF_TEXT(mail_name, "Posthouse", 1, 255, \
    "The name of the mail system in greetings, headers and bounces.")
#define CONF_SHARED_mail_version CONF_TEXT(mail_version, POSTHOUSE_VERSION, 1, 255, \
    "The version of the mail system.")
#define CONF_SHARED_double_bounce_sender CONF_TEXT(double_bounce_sender, "double-bounce", 1, 255, \
    "Local part of the sender of notifications whose own failure is not reported again.")
#define CONF_SHARED_empty_address_recipient CONF_TEXT(empty_address_recipient, "MAILER-DAEMON", 1, 255, \
    "Who receives mail for the null address.")
#define CONF_SHARED_recipient_delimiter CONF_TEXT(recipient_delimiter, "", 0, 16, \
    "Characters that separate a user's name from an address extension (user+extension).")

/* Addresses that are not complete. */
#define CONF_SHARED_propagate_unmatched_extensions CONF_WORDS(propagate_unmatched_extensions, \
    "canonical, virtual", "canonical|virtual|alias|forward|include|generic", "Tables whose results keep the address extension.")
#define CONF_SHARED_owner_request_special CONF_BOOL(owner_request_special, "yes", \
    "Take owner-list and list-request for names without an extension, where - is in recipient_delimiter; and mail for list has owner-list, if there is one, for its sender.")
#define CONF_SHARED_append_at_myorigin CONF_BOOL(append_at_myorigin, "yes", \
    "Complete addresses without a domain with @$myorigin.")
#define CONF_SHARED_append_dot_mydomain CONF_BOOL(append_dot_mydomain, "${{$compatibility_level} <level {1} ? {yes} : {no}}", \
    "Complete domains without a dot with .$mydomain.")
#define CONF_SHARED_remote_header_rewrite_domain CONF_TEXT(remote_header_rewrite_domain, "", 0, 255, \
    "The domain that completes addresses in header fields of clients that are not local; empty: they stay as they are.")
#define CONF_SHARED_allow_percent_hack CONF_BOOL(allow_percent_hack, "yes", \
    "Rewrite user%domain to user@domain.")

#define CONF_SHARED_debug_peer_list CONF_TEXT(debug_peer_list, "", 0, 4096, \
    "Names, addresses and networks of hosts with which every line of SMTP that is said is logged, but for passwords.")
#define CONF_SHARED_debug_peer_level CONF_NUMBER(debug_peer_level, "2", 0, CONF_NUMBER_MAX, \
    "0: debug_peer_list is not in force.")
#define CONF_SHARED_parent_domain_matches_subdomains CONF_TEXT(parent_domain_matches_subdomains, \
    "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,qmqpd_authorized_clients,relay_domains,smtpd_access_maps", 0, 4096, \
    "Lists in which example.org also means its subdomains; elsewhere that is written .example.org.")

/* Variable envelope return paths. */
#define CONF_SHARED_default_verp_delimiters CONF_TEXT(default_verp_delimiters, "+=", 2, 2, \
    "The two delimiters of VERP where XVERP or sendmail -XV names none: list+user=domain@origin.")
#define CONF_SHARED_verp_delimiter_filter CONF_TEXT(verp_delimiter_filter, "-=+", 1, 94, \
    "Characters that may be delimiters of VERP.")

/* Networks. */
#define CONF_SHARED_mynetworks CONF_NETWORKS(mynetworks, "", \
    "Clients that may relay: addresses, networks, and with ! before them those that may not. Unset: from mynetworks_style.")
#define CONF_SHARED_inet_interfaces CONF_TEXT(inet_interfaces, "all", 1, CONF_TEXT_MAX, \
    "Addresses on which mail is received: all, loopback-only, names or addresses.")
#define CONF_SHARED_inet_protocols CONF_WORDS(inet_protocols, "all", "all|ipv4|ipv6", \
    "Internet protocols that are used.")
#define CONF_SHARED_proxy_interfaces CONF_TEXT(proxy_interfaces, "", 0, CONF_TEXT_MAX, \
    "Further addresses on which mail for this machine arrives through a proxy or address translation.")

#define CONF_SHARED_smtp_tls_mta_sts CONF_BOOL(smtp_tls_mta_sts, "yes", \
    "Follow the MTA-STS policies of the domains that mail goes to (RFC 8461), where DANE has nothing to say.")

#define CONF_SHARED_smtp_tlsrpt_enable CONF_BOOL(smtp_tlsrpt_enable, "no", \
    "Count TLS sessions, and report on them to the domains that ask for it (TLSRPT, RFC 8460).")

/* Servers that are asked over HTTPS. */
#define CONF_SHARED_auth_oauth2_introspection_url CONF_TEXT(auth_oauth2_introspection_url, "", 0, 2048, \
    "Where an OAuth token is asked about (RFC 7662), as https://HOST/PATH or https://HOST:PORT/PATH; empty: nowhere.")

/* Places. */
#define CONF_SHARED_config_directory CONF_TEXT(config_directory, POSTHOUSE_CONFIG_DIRECTORY, 1, 4096, \
    "Where main.cf and master.cf are; set by -c or MAIL_CONFIG.")
#define CONF_SHARED_queue_directory CONF_TEXT(queue_directory, POSTHOUSE_QUEUE_DIRECTORY, 1, 4096, \
    "The queue, and public/ with the sockets of the command-line tools.")
#define CONF_SHARED_data_directory CONF_TEXT(data_directory, POSTHOUSE_DATA_DIRECTORY, 1, 4096, \
    "Files that the daemons keep: the queue's key, caches.")
#define CONF_SHARED_run_directory CONF_TEXT(run_directory, POSTHOUSE_RUN_DIRECTORY, 1, 4096, \
    "The master's pid file.")

/* Logging. */
#define CONF_SHARED_syslog_name CONF_TEXT(syslog_name, \
    "${multi_instance_name?{$multi_instance_name}:{posthouse}}", 1, 255, \
    "What stands before /program in the tag of a log line.")
#define CONF_SHARED_delay_logging_resolution_limit CONF_NUMBER(delay_logging_resolution_limit, "2", 0, 6, \
    "Digits after the point in delay= and delays= of log lines.")

/* Limits that several programs keep. */
#define CONF_SHARED_message_size_limit CONF_SIZE(message_size_limit, "10240000", 0, CONF_SIZE_MAX, \
    "Largest message in bytes; 0: no limit.")
#define CONF_SHARED_queue_sync_directory CONF_BOOL(queue_sync_directory, "no", \
    "Also flush the directory after a message was renamed into it, for file systems where fsync of the file is not enough.")
#define CONF_SHARED_queue_minfree CONF_SIZE(queue_minfree, "0", 0, CONF_SIZE_MAX, \
    "Free bytes that intake leaves on the queue's file system; less than 1.5 times message_size_limit counts as that.")
#define CONF_SHARED_header_size_limit CONF_SIZE(header_size_limit, "102400", 1024, 16 * 1024 * 1024, \
    "Longest header field in bytes; the rest of a longer one is left out.")
#define CONF_SHARED_line_length_limit CONF_NUMBER(line_length_limit, "2048", 512, 1024 * 1024, \
    "Longest line in bytes that is handled in one piece.")
#define CONF_SHARED_hopcount_limit CONF_NUMBER(hopcount_limit, "50", 1, CONF_NUMBER_MAX, \
    "Received headers above which a message is taken to be in a loop.")
#define CONF_SHARED_soft_bounce CONF_BOOL(soft_bounce, "no", \
    "Turn every permanent failure into a temporary one, while testing a configuration.")
#define CONF_SHARED_ipc_timeout CONF_TIME(ipc_timeout, "3600s", 's', 1, CONF_TIME_MAX_S, \
    "How long one daemon waits for the answer of another.")
#define CONF_SHARED_mailbox_size_limit CONF_SIZE(mailbox_size_limit, "51200000", 0, CONF_SIZE_MAX, \
    "Largest mailbox, and largest Maildir file, in bytes; 0: no limit.")
#define CONF_SHARED_mailbox_sync CONF_CHOICE(mailbox_sync, "auto", "auto|fsync|syncfs|no", \
    "How a delivered message reaches the disk: fsync each file, syncfs a group, auto: what is faster; no: not before success is reported.")
#define CONF_SHARED_mailbox_quota CONF_TEXT(mailbox_quota, "", 0, 64, \
    "How much may lie in a Maildir, as maildirsize files write it: 100000000S,1000C. Empty: what the mailbox's own maildirsize says, if it has one.")
#define CONF_SHARED_mailbox_quota_code CONF_CHOICE(mailbox_quota_code, "452", "452|552", \
    "Whether mail for a mailbox at its quota waits (452) or goes back (552).")
#define CONF_SHARED_last_valid_uid CONF_NUMBER(last_valid_uid, "0", 0, CONF_NUMBER_MAX, \
    "Largest uid that a table may name as a mailbox owner; 0: no limit.")
#define CONF_SHARED_bounce_notice_recipient CONF_TEXT(bounce_notice_recipient, "postmaster", 1, 255, \
    "Who receives copies of bounces, where notify_classes has bounce.")
#define CONF_SHARED_notify_classes CONF_WORDS(notify_classes, "resource, software", \
    "bounce|2bounce|data|delay|policy|protocol|resource|software", \
    "Classes of trouble that the postmaster is told of.")

/* Clients that authenticate. */
#define CONF_SHARED_smtpd_sasl_path CONF_TEXT(smtpd_sasl_path, "private/auth", 1, 4096, \
    "With smtpd_sasl_type = dovecot: the socket of its authentication service, below queue_directory when relative.")

/* Commands. */
#define CONF_SHARED_authorized_flush_users CONF_MATCH_LIST(authorized_flush_users, "static:anyone", \
    "Users who may flush the queue, beside root.")
#define CONF_SHARED_authorized_mailq_users CONF_MATCH_LIST(authorized_mailq_users, "static:anyone", \
    "Users who may look at the queue, beside root.")

/* Recipients in the envelope. */
#define CONF_SHARED_enable_original_recipient CONF_BOOL(enable_original_recipient, "yes", \
    "Keep with each recipient who was meant before addresses were rewritten.")
#define CONF_SHARED_receive_override_options CONF_WORDS(receive_override_options, "", \
    "no_unknown_recipient_checks|no_address_mappings|no_header_body_checks|no_milters", \
    "What is left out for mail that is taken in here, as before a content filter.")
#define CONF_SHARED_content_filter CONF_TEXT(content_filter, "", 0, 1024, \
    "transport:destination by which all mail goes that is taken in here, before its own way; the filter gives it back to a service of smtpd without one. Empty: none.")
#define CONF_SHARED_duplicate_filter_limit CONF_NUMBER(duplicate_filter_limit, "1000", 0, CONF_NUMBER_MAX, \
    "Recipients of a message that are remembered, so that equal ones count once.")

/* Refusals. */
#define CONF_SHARED_show_user_unknown_table_name CONF_BOOL(show_user_unknown_table_name, "yes", \
    "Name the table in User unknown replies.")

/* Mailbox files. */
#define CONF_SHARED_deliver_lock_attempts CONF_NUMBER(deliver_lock_attempts, "20", 1, 10000, \
    "How often a lock is tried.")
#define CONF_SHARED_deliver_lock_delay CONF_TIME(deliver_lock_delay, "1s", 's', 0, CONF_DAY_S, \
    "Time between two tries.")
#define CONF_SHARED_stale_lock_time CONF_TIME(stale_lock_time, "500s", 's', 1, CONF_DAY_S, \
    "Age at which a dotlock is taken away.")

/* Workers. */
#define CONF_SHARED_daemon_timeout CONF_TIME(daemon_timeout, "18000s", 's', 1, CONF_TIME_MAX_S, \
    "How long a process that delivers as a user may take for a message, with a command's time limit besides, before it is left to itself and the mail put off.")

/* Commands. */
#define CONF_SHARED_command_time_limit CONF_TIME(command_time_limit, "1000s", 's', 1, CONF_TIME_MAX_S, \
    "How long a command may take that a message is given to.")
#define CONF_SHARED_export_environment CONF_TEXT(export_environment, "TZ MAIL_CONFIG LANG", 0, CONF_TEXT_MAX, \
    "Environment of commands: names, whose values are the mail system's, and name=value.")
/* Delivery to servers. */
#define CONF_SHARED_send_cyrus_sasl_authzid CONF_BOOL(send_cyrus_sasl_authzid, "no", \
    "Name the user twice when authenticating at another server: as who is there, and as whom to act for.")
#define CONF_SHARED_smtp_generic_maps CONF_TABLES(smtp_generic_maps, "", \
    "Tables of other names for addresses in mail that leaves by SMTP.")
#define CONF_SHARED_lmtp_generic_maps CONF_TABLES(lmtp_generic_maps, "", \
    "The same for LMTP.")
#define CONF_SHARED_disable_dns_lookups CONF_BOOL(disable_dns_lookups, "no", \
    "Deliver without MX records, to the addresses of names.")
#define CONF_SHARED_ignore_mx_lookup_error CONF_BOOL(ignore_mx_lookup_error, "no", \
    "Look for an address when the MX lookup fails for now.")
#define CONF_SHARED_disable_mime_output_conversion CONF_BOOL(disable_mime_output_conversion, "no", \
    "Send 8-bit content as it is to servers without 8BITMIME.")

/* TLS. */
#define CONF_SHARED_smtpd_tls_session_cache_timeout CONF_TIME(smtpd_tls_session_cache_timeout, "3600s", 's', 0, CONF_TIME_MAX_S, \
    "How long a TLS session can be resumed; how often the keys of session tickets change. 0: sessions are not resumed.")
#define CONF_SHARED_tls_high_cipherlist CONF_TEXT(tls_high_cipherlist, "aNULL:-aNULL:HIGH:@STRENGTH", 1, 4096, \
    "OpenSSL's list of the ciphers of grade high, for TLS 1.2 and older; so are the next four.")
#define CONF_SHARED_tls_medium_cipherlist CONF_TEXT(tls_medium_cipherlist, "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH", 1, 4096, \
    "Those of grade medium.")
#define CONF_SHARED_tls_low_cipherlist CONF_TEXT(tls_low_cipherlist, "aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH", 1, 4096, \
    "Those of grade low.")
#define CONF_SHARED_tls_export_cipherlist CONF_TEXT(tls_export_cipherlist, "aNULL:-aNULL:HIGH:MEDIUM:LOW:EXPORT:+RC4:@STRENGTH", 1, 4096, \
    "Those of grade export.")
#define CONF_SHARED_tls_null_cipherlist CONF_TEXT(tls_null_cipherlist, "eNULL:!aNULL", 1, 4096, \
    "Those of grade null, which do not encrypt.")
#define CONF_SHARED_tls_eecdh_auto_curves CONF_TEXT(tls_eecdh_auto_curves, "X25519 X448 prime256v1 secp521r1 secp384r1", 0, 1024, \
    "Curves of the key exchange, the best first; those that OpenSSL does not know are passed over. Empty, as the next: OpenSSL's choice.")
#define CONF_SHARED_tls_ffdhe_auto_groups CONF_TEXT(tls_ffdhe_auto_groups, "ffdhe2048 ffdhe3072", 0, 1024, \
    "Groups of the key exchange by finite fields in TLS 1.3, after the curves.")
#define CONF_SHARED_tls_ssl_options CONF_TEXT(tls_ssl_options, "", 0, 1024, \
    "Options of OpenSSL that are switched on: names without SSL_OP_, or 0x and a number. Compression is off and renegotiation refused in any case.")
#define CONF_SHARED_tls_disable_workarounds CONF_TEXT(tls_disable_workarounds, "", 0, 1024, \
    "OpenSSL's workarounds for the bugs of others that are switched off.")
#define CONF_SHARED_tls_append_default_CA CONF_BOOL(tls_append_default_CA, "no", \
    "Trust the authorities that OpenSSL knows beside those of the CAfile and CApath settings.")

/* Tables. */
#define CONF_SHARED_alias_maps CONF_TABLES(alias_maps, "hash:/etc/aliases", \
    "Tables of local aliases, aliases(5).")
#define CONF_SHARED_virtual_mailbox_maps CONF_TABLES(virtual_mailbox_maps, "", \
    "Tables of the mailbox path of each virtual recipient.")
#define CONF_SHARED_virtual_uid_maps CONF_TABLES(virtual_uid_maps, "", \
    "Tables of the uid of each virtual recipient.")
#define CONF_SHARED_virtual_gid_maps CONF_TABLES(virtual_gid_maps, "", \
    "Tables of the gid of each virtual recipient.")

/* TLS. */
#define CONF_SHARED_smtp_tls_policy_maps CONF_TABLES(smtp_tls_policy_maps, "", \
    "Tables of levels of protection by next hop, with attributes behind them, for SMTP.")
#define CONF_SHARED_smtp_tls_per_site CONF_TABLES(smtp_tls_per_site, "", \
    "The former kind of such tables: NONE, MAY, MUST or MUST_NOPEERMATCH by host or next hop.")
#define CONF_SHARED_lmtp_tls_policy_maps CONF_TABLES(lmtp_tls_policy_maps, "", \
    "Tables of levels of protection by next hop, with attributes behind them, for LMTP.")
#define CONF_SHARED_lmtp_tls_per_site CONF_TABLES(lmtp_tls_per_site, "", \
    "The former kind of such tables: NONE, MAY, MUST or MUST_NOPEERMATCH by host or next hop.")
#define CONF_SHARED_tls_wildcard_matches_multiple_labels CONF_BOOL(tls_wildcard_matches_multiple_labels, "yes", \
    "Let *.example.com in a certificate stand for a.b.example.com, too.")
#define CONF_SHARED_tls_dane_digests CONF_TEXT(tls_dane_digests, "sha512 sha256", 1, 1024, \
    "Digests in TLSA records, the strongest first; name=number where the type is not registered.")
#define CONF_SHARED_minimal_backoff_time CONF_TIME(minimal_backoff_time, "300s", 's', 1, CONF_TIME_MAX_S, \
    "Shortest time between two attempts.")

/* clang-format on */

#endif
