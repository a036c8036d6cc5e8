# tests of lib/address
