# tests of lib/sandbox
