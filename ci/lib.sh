# Sourced by the steps: strict mode, and the workspace as the working directory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s\n' "$*"; }

# need COMMAND PACKAGE: installs a Debian package where the command is missing.
need() {
    command -v "$1" >/dev/null && return
    say "installing $2"
    apt-get update -q && apt-get install -qy --no-install-recommends "$2"
}
