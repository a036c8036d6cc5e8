# tests/conformance: published test data of others; ./run-tests conformance
check_PROGRAMS += tests/conformance/probe
tests_conformance_probe_SOURCES = tests/conformance/probe.c $(addrd_parts)
tests_conformance_probe_LDADD = $(posthouse_libs) $(DB_LIBS) $(SASL_LIBS) $(SSL_LIBS)
EXTRA_DIST += tests/conformance/run tests/conformance/exceptions.py tests/conformance/cases.py \
	tests/conformance/suites/address_isemail.py \
	tests/conformance/suites/dane_openssl.py \
	tests/conformance/suites/parsers_postfix.py \
	tests/conformance/suites/postfix_surface.py \
	tests/conformance/suites/smtp_attack_vectors.py \
	tests/conformance/suites/smtp_chasquid_dialogs.py
