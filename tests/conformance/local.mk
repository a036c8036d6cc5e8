# tests/conformance: published test data of others; ./run-tests conformance
EXTRA_DIST += tests/conformance/run tests/conformance/exceptions.py \
	tests/conformance/suites/smtp_attack_vectors.py \
	tests/conformance/suites/smtp_chasquid_dialogs.py
