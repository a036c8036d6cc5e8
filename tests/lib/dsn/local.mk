# tests of lib/dsn
