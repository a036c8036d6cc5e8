# authd: finds out who a client is.
authd_parts = \
	authd/authd.h \
	authd/claims.c \
	authd/clients.c authd/clients.h \
	authd/database.c authd/database.h \
	authd/db_types.h \
	authd/db_ldap.c authd/db_mysql.c authd/db_pam.c authd/db_passwd_file.c authd/db_pgsql.c \
	authd/db_shadow.c authd/db_sql.c authd/db_sql.h authd/db_sqlite.c authd/db_static.c \
	authd/dovecot_line.c authd/dovecot_line.h \
	authd/dovecot_server.c authd/dovecot_server.h \
	authd/exchange.c authd/exchange.h authd/exchange_private.h \
	authd/forward.c authd/forward.h \
	authd/jwt.c authd/jwt.h \
	authd/lockout.c authd/lockout.h \
	authd/login_name.c authd/login_name.h \
	authd/mechanisms.c authd/mechanisms.h \
	authd/module.c authd/module.h \
	authd/patience.c authd/patience.h \
	authd/relay.c authd/relay.h \
	authd/relay_cache.c authd/relay_cache.h \
	authd/relay_server.c authd/relay_server.h \
	authd/server.c authd/server.h \
	authd/token.c authd/token.h \
	authd/verdict.c authd/verdict.h \
	authd/worker.c authd/worker.h
daemon_PROGRAMS += authd/authd
authd_authd_SOURCES = authd/main.c $(authd_parts)
authd_authd_LDADD = $(posthouse_libs) $(SASL_LIBS) $(PASSWORD_LIBS) $(DB_LIBS)
include tests/authd/local.mk
