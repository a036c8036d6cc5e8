# tests of lib/addr
