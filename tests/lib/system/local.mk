# tests of lib/system
