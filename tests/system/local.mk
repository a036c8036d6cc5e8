# Checks of the source itself, and what belongs to ./quickstart and ./run-tests.
dist_check_SCRIPTS += tests/layers_test.sh tests/banned_test.sh tests/settings_test.sh tests/format_test.sh
TESTS += tests/layers_test.sh tests/banned_test.sh tests/settings_test.sh
EXTRA_DIST += debian-packages tests/harness tests/system

# Crowds of full size: 10,000 connections, 100,000 recipients, 5,000 sessions of TLS.
.PHONY: soak-hostile
soak-hostile: all
	POSTHOUSE_BUILD='$(abs_top_builddir)' POSTHOUSE_TESTS_LONG=yes \
		POSTHOUSE_TESTS_TABLE='$(abs_top_srcdir)/tests/SOAK.md' $(top_srcdir)/tests/system/run -q \
		hostile_test.py tls_test.py::test_many_sessions_in_one_process
soak: soak-hostile
