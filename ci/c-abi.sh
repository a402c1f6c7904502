#!/usr/bin/env bash
# The C ABI: our own C programs and Samba's on libtevent.so.0 over the Rust loop.
. "$(dirname "$0")/lib.sh"

say "C programs on both libraries"
tevent-capi/test.sh
say "the bridge"
tevent-capi/example/run.sh
say "Samba"
tevent-capi/clients.sh
