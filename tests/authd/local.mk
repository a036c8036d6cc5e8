# tests of authd
if HAVE_CMOCKA
authd_tests = tests/authd/authd_test tests/authd/database_test tests/authd/jwt_test \
	tests/authd/parsers_test tests/authd/relay_cache_test
check_PROGRAMS += $(authd_tests)
TESTS += $(authd_tests)
tests_authd_authd_test_SOURCES = tests/authd/authd_test.c tests/daemon.c tests/daemon.h tests/test.h
tests_authd_authd_test_LDADD = $(test_libs)
tests_authd_database_test_SOURCES = tests/authd/database_test.c \
	authd/database.c authd/db_ldap.c authd/db_mysql.c authd/db_pam.c \
	authd/db_passwd_file.c authd/db_pgsql.c authd/db_shadow.c authd/db_sql.c authd/db_sqlite.c \
	authd/db_static.c authd/module.c tests/test.h
tests_authd_database_test_LDADD = $(test_libs) $(SASL_LIBS) $(PASSWORD_LIBS) $(DB_LIBS)
tests_authd_jwt_test_SOURCES = tests/authd/jwt_test.c tests/authd/jwt_vectors.h authd/claims.c authd/jwt.c tests/test.h
tests_authd_jwt_test_LDADD = $(test_libs)
tests_authd_parsers_test_SOURCES = tests/authd/parsers_test.c authd/dovecot_line.c \
	authd/login_name.c authd/patience.c tests/test.h
tests_authd_parsers_test_LDADD = $(test_libs)
tests_authd_relay_cache_test_SOURCES = tests/authd/relay_cache_test.c authd/relay_cache.c tests/test.h
tests_authd_relay_cache_test_LDADD = $(test_libs) $(SASL_LIBS)
endif
fuzz_targets += tests/fuzz/auth_dovecot_line_fuzz tests/fuzz/auth_passwd_line_fuzz
tests_fuzz_auth_dovecot_line_fuzz_SOURCES = tests/fuzz/auth_dovecot_line_fuzz.c authd/dovecot_line.c \
	$(fuzz_main)
tests_fuzz_auth_dovecot_line_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_auth_dovecot_line_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_auth_passwd_line_fuzz_SOURCES = tests/fuzz/auth_passwd_line_fuzz.c $(fuzz_main)
tests_fuzz_auth_passwd_line_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_auth_passwd_line_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_targets += tests/fuzz/auth_token_fuzz
tests_fuzz_auth_token_fuzz_SOURCES = tests/fuzz/auth_token_fuzz.c tests/authd/jwt_vectors.h authd/claims.c \
	authd/jwt.c $(fuzz_main)
tests_fuzz_auth_token_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_auth_token_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
