# Checks of the source itself, and what belongs to ./quickstart and ./run-tests.
dist_check_SCRIPTS += tests/layers_test.sh tests/banned_test.sh tests/settings_test.sh tests/format_test.sh
TESTS += tests/layers_test.sh tests/banned_test.sh tests/settings_test.sh
EXTRA_DIST += debian-packages tests/harness tests/system
