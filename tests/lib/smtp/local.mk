# tests of lib/smtp
