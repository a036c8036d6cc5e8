# bench: what bench/run measures with. Not installed.
noinst_PROGRAMS += bench/load bench/sink
bench_load_SOURCES = bench/load.c
bench_load_LDADD = $(SSL_LIBS) $(CRYPTO_LIBS)
bench_sink_SOURCES = bench/sink.c
EXTRA_DIST += bench/run bench/bench.py bench/backlog.py
