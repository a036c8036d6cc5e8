# tests of lib/system
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/system/system_test
TESTS += tests/lib/system/system_test
tests_lib_system_system_test_SOURCES = tests/lib/system/system_test.c tests/test.h
tests_lib_system_system_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/system/command_test
TESTS += tests/lib/system/command_test
tests_lib_system_command_test_SOURCES = tests/lib/system/command_test.c tests/test.h
tests_lib_system_command_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/system/file_watch_test
TESTS += tests/lib/system/file_watch_test
tests_lib_system_file_watch_test_SOURCES = tests/lib/system/file_watch_test.c tests/test.h
tests_lib_system_file_watch_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/system/journal_test
TESTS += tests/lib/system/journal_test
tests_lib_system_journal_test_SOURCES = tests/lib/system/journal_test.c tests/test.h
tests_lib_system_journal_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/system/note_test
TESTS += tests/lib/system/note_test
tests_lib_system_note_test_SOURCES = tests/lib/system/note_test.c tests/test.h
tests_lib_system_note_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/system/part_test
TESTS += tests/lib/system/part_test
tests_lib_system_part_test_SOURCES = tests/lib/system/part_test.c tests/test.h
tests_lib_system_part_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/system/watchdog_test
TESTS += tests/lib/system/watchdog_test
tests_lib_system_watchdog_test_SOURCES = tests/lib/system/watchdog_test.c tests/test.h
tests_lib_system_watchdog_test_LDADD = $(test_libs)
endif
