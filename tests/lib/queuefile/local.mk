# tests of lib/queuefile
