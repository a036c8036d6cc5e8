# tests/kill
EXTRA_DIST += tests/kill/run tests/SOAK.md
.PHONY: soak-kill
soak-kill: all
	POSTHOUSE_BUILD='$(abs_top_builddir)' $(top_srcdir)/tests/kill/run --long \
		--table $(top_srcdir)/tests/SOAK.md
soak: soak-kill
