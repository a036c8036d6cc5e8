# tests of lib/conf
