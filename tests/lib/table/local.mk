# tests of lib/table
