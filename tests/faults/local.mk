# tests/faults
EXTRA_DIST += tests/faults/run
.PHONY: soak-faults
soak-faults: all
	POSTHOUSE_BUILD='$(abs_top_builddir)' $(top_srcdir)/tests/faults/run --long \
		--table $(top_srcdir)/tests/SOAK.md
soak: soak-faults
