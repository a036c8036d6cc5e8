# tests of dnsd's parts
if HAVE_CMOCKA
dnsd_tests = tests/dnsd/cache_test tests/dnsd/lookup_test tests/dnsd/resolver_test \
	tests/dnsd/servers_test
check_PROGRAMS += $(dnsd_tests)
TESTS += $(dnsd_tests)
tests_dnsd_cache_test_SOURCES = tests/dnsd/cache_test.c dnsd/cache.c dnsd/cache.h tests/test.h
tests_dnsd_cache_test_LDADD = $(test_libs)
tests_dnsd_lookup_test_SOURCES = tests/dnsd/lookup_test.c $(dnsd_parts) tests/test.h
tests_dnsd_lookup_test_LDADD = $(test_libs) $(CARES_LIBS)
tests_dnsd_resolver_test_SOURCES = tests/dnsd/resolver_test.c $(dnsd_parts) \
	tests/lib/dnswire/message.c tests/lib/dnswire/message.h tests/test.h
tests_dnsd_resolver_test_LDADD = $(test_libs) $(CARES_LIBS)
tests_dnsd_servers_test_SOURCES = tests/dnsd/servers_test.c dnsd/servers.c dnsd/servers.h \
	tests/test.h
tests_dnsd_servers_test_LDADD = $(test_libs)
check_PROGRAMS += tests/dnsd/dnsd_test
dist_check_SCRIPTS += tests/dnsd/dnsd_test.sh
TESTS += tests/dnsd/dnsd_test.sh
tests_dnsd_dnsd_test_SOURCES = tests/dnsd/dnsd_test.c tests/daemon.c tests/daemon.h tests/test.h
tests_dnsd_dnsd_test_LDADD = $(test_libs)
endif
