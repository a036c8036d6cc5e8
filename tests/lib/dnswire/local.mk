# tests of lib/dnswire
