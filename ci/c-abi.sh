#!/usr/bin/env bash
# The C ABI: our own C programs, and Samba's tests of tevent, on libtevent.so.0 over the Rust loop; and the bridge. Real clients, an smbd
# among them, are `tevent-capi/clients.sh`, which is not a part of CI.
. "$(dirname "$0")/lib.sh"

say "C programs on both libraries"
tevent-capi/test.sh
say "the bridge"
tevent-capi/example/run.sh
