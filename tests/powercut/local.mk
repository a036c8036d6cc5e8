# tests/powercut
