# tests of lib/intake
