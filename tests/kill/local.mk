# tests/kill
EXTRA_DIST += tests/kill/run
.PHONY: soak-kill
soak-kill: all
	POSTHOUSE_BUILD='$(abs_top_builddir)' $(top_srcdir)/tests/kill/run --long
soak: soak-kill
