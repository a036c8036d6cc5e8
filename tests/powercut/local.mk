# tests/powercut
# These need root, /dev/fuse and loop devices, so they stand beside "make check"; run-tests calls the
# short forms, "make soak" the long ones.
EXTRA_DIST += tests/powercut/powercut.py tests/powercut/selftest.py tests/powercut/mailqueue.py \
	tests/powercut/run
if HAVE_FUSE
check_PROGRAMS += tests/powercut/logdisk
tests_powercut_logdisk_SOURCES = tests/powercut/logdisk.c
tests_powercut_logdisk_CFLAGS = $(AM_CFLAGS) $(FUSE_CFLAGS)
tests_powercut_logdisk_LDADD = $(FUSE_LIBS)
powercut_programs = tests/powercut/logdisk
endif

.PHONY: soak soak-powercut
soak-powercut: all $(powercut_programs)
	POSTHOUSE_BUILD='$(abs_top_builddir)' $(top_srcdir)/tests/powercut/run --long \
		--table $(top_srcdir)/tests/SOAK.md
soak: soak-powercut
