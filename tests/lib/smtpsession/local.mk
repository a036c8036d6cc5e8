# tests of lib/smtpsession
