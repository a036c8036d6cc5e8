# tests of lib/service
