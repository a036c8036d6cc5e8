# tests/fuzz: targets are named tests/fuzz/NAME_fuzz; the folder of the code under test adds its
# target in its own tests/lib/*/local.mk:
#   fuzz_targets += tests/fuzz/NAME_fuzz
#   tests_fuzz_NAME_fuzz_SOURCES = tests/fuzz/NAME_fuzz.c $(fuzz_main)
#   tests_fuzz_NAME_fuzz_LDADD = $(posthouse_libs)
#   tests_fuzz_NAME_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
# "make check" replays tests/fuzz/corpus/NAME_fuzz/*; with --enable-fuzzing (clang) the same
# programs are libFuzzer binaries, and "make fuzz" runs each for FUZZ_SECONDS and adds that to
# FUZZ_TABLE.
check_PROGRAMS += $(fuzz_targets)
if ENABLE_FUZZING
fuzz_ldflags = -fsanitize=fuzzer
else
TESTS += $(fuzz_targets)
endif
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/replay_main.c tests/fuzz/RESULTS.md
FUZZ_SECONDS = 600
FUZZ_TABLE = $(abs_top_srcdir)/tests/fuzz/RESULTS.md
.PHONY: fuzz
fuzz: $(fuzz_targets)
	$(SHELL) $(top_srcdir)/tests/fuzz/run.sh '$(FUZZ_SECONDS)' '$(abs_top_srcdir)' \
		'$(FUZZ_TABLE)' $(fuzz_targets)
