# tests of lib/ipc
