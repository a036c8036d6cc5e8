# tests of master: its parts, and all of it with a daemon that stands in for every other
dist_check_SCRIPTS += tests/master/master_test.py
if HAVE_CMOCKA
master_tests = tests/master/handover_test tests/master/poison_test tests/master/repair_test tests/master/wiring_test tests/master/supervise_test tests/master/plan_test
check_PROGRAMS += $(master_tests) tests/master/testd
TESTS += $(master_tests) tests/master/master_test.py
tests_master_testd_SOURCES = tests/master/testd.c
tests_master_testd_LDADD = $(posthouse_libs)
tests_master_poison_test_SOURCES = tests/master/poison_test.c master/poison.c master/poison.h \
	tests/test.h
tests_master_poison_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_master_poison_test_LDADD = $(test_libs)
tests_master_repair_test_SOURCES = tests/master/repair_test.c master/repair.c master/repair.h \
	tests/test.h
tests_master_repair_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_master_repair_test_LDADD = $(test_libs)
tests_master_handover_test_SOURCES = tests/master/handover_test.c master/handover.c \
	master/handover.h tests/test.h
tests_master_handover_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_master_handover_test_LDADD = $(test_libs)
tests_master_wiring_test_SOURCES = tests/master/wiring_test.c master/wiring.c master/wiring.h \
	tests/test.h
tests_master_wiring_test_LDADD = $(test_libs)
tests_master_supervise_test_SOURCES = tests/master/supervise_test.c master/supervise.c \
	master/supervise.h tests/test.h
tests_master_supervise_test_LDADD = $(test_libs)
tests_master_plan_test_SOURCES = tests/master/plan_test.c $(master_parts) tests/test.h
tests_master_plan_test_LDADD = $(test_libs) $(DB_LIBS)
endif
fuzz_targets += tests/fuzz/master_endpoint_fuzz
tests_fuzz_master_endpoint_fuzz_SOURCES = tests/fuzz/master_endpoint_fuzz.c $(fuzz_main) \
	master/endpoint.c master/endpoint.h
tests_fuzz_master_endpoint_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_master_endpoint_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_targets += tests/fuzz/master_handover_fuzz
tests_fuzz_master_handover_fuzz_SOURCES = tests/fuzz/master_handover_fuzz.c $(fuzz_main) \
	master/handover.c master/handover.h
tests_fuzz_master_handover_fuzz_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_fuzz_master_handover_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_master_handover_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
