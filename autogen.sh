#!/bin/sh
# Make configure and Makefile.in from a fresh checkout.
cd "$(dirname "$0")" && mkdir -p build-aux && exec autoreconf --install --force
