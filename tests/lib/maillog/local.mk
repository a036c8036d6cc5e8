# tests of lib/maillog
