# tests of lib/dns
