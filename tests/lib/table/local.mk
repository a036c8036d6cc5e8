# tests of lib/table
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/table/address_lookup_test tests/lib/table/alias_source_test tests/lib/table/check_test tests/lib/table/clients_test tests/lib/table/rules_test tests/lib/table/source_test tests/lib/table/table_test
TESTS += tests/lib/table/address_lookup_test tests/lib/table/alias_source_test tests/lib/table/check_test tests/lib/table/clients_test tests/lib/table/rules_test tests/lib/table/source_test tests/lib/table/table_test
tests_lib_table_address_lookup_test_SOURCES = tests/lib/table/address_lookup_test.c tests/test.h
tests_lib_table_address_lookup_test_LDADD = $(test_libs) $(DB_LIBS)
tests_lib_table_alias_source_test_SOURCES = tests/lib/table/alias_source_test.c tests/test.h
tests_lib_table_alias_source_test_LDADD = $(test_libs)
tests_lib_table_check_test_SOURCES = tests/lib/table/check_test.c tests/test.h
tests_lib_table_check_test_LDADD = $(test_libs) $(DB_LIBS)
tests_lib_table_clients_test_SOURCES = tests/lib/table/clients_test.c tests/test.h
tests_lib_table_clients_test_LDADD = $(test_libs) $(DB_LIBS)
tests_lib_table_rules_test_SOURCES = tests/lib/table/rules_test.c tests/test.h
tests_lib_table_rules_test_LDADD = $(test_libs) $(DB_LIBS)
tests_lib_table_source_test_SOURCES = tests/lib/table/source_test.c tests/test.h
tests_lib_table_source_test_LDADD = $(test_libs)
tests_lib_table_table_test_SOURCES = tests/lib/table/table_test.c tests/test.h
tests_lib_table_table_test_LDADD = $(test_libs) $(DB_LIBS)
endif
dist_check_SCRIPTS += tests/lib/table/postmap_test.sh tests/lib/table/postalias_test.sh
TESTS += tests/lib/table/postmap_test.sh tests/lib/table/postalias_test.sh
fuzz_targets += tests/fuzz/table_alias_fuzz tests/fuzz/table_source_fuzz tests/fuzz/table_inline_fuzz tests/fuzz/table_rules_fuzz
tests_fuzz_table_source_fuzz_SOURCES = tests/fuzz/table_source_fuzz.c $(fuzz_main)
tests_fuzz_table_source_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_table_source_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_table_inline_fuzz_SOURCES = tests/fuzz/table_inline_fuzz.c $(fuzz_main)
tests_fuzz_table_inline_fuzz_LDADD = $(posthouse_libs) $(DB_LIBS)
tests_fuzz_table_inline_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_table_rules_fuzz_SOURCES = tests/fuzz/table_rules_fuzz.c $(fuzz_main)
tests_fuzz_table_rules_fuzz_LDADD = $(posthouse_libs) $(DB_LIBS)
tests_fuzz_table_rules_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_table_alias_fuzz_SOURCES = tests/fuzz/table_alias_fuzz.c $(fuzz_main)
tests_fuzz_table_alias_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_table_alias_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
