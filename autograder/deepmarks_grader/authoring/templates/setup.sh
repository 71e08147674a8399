#!/usr/bin/env bash
# Prepares a machine for grading: a virtual environment with pinned packages and the wheels of this zip.
# It may run again at any time; what is there already is kept.
#
#   DEEPMARKS_AUTOGRADER_ROOT   where the environment goes (default /autograder)
#   DEEPMARKS_TORCH_INDEX       package index for torch and torchvision (default: the official CPU wheels;
#                               empty: pip's own configuration)
set -euo pipefail
# Students' code runs as another user, which must be able to read Python.
umask 022

ROOT="${DEEPMARKS_AUTOGRADER_ROOT:-/autograder}"
TORCH_INDEX="${DEEPMARKS_TORCH_INDEX-https://download.pytorch.org/whl/cpu}"
SOURCE="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
VENV="$ROOT/venv"
export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

usable() {
    # Debian's Python comes without what a virtual environment needs.
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local name
    # The system's own come first: one below a closed home cannot be read by the user that runs students' code.
    for name in /usr/bin/python3.1[123] python3.13 python3.12 python3.11 python3; do
        if command -v "$name" >/dev/null && usable "$name"; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

install_python() {
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "setup.sh: no Python 3.11 or newer with the venv module is installed." >&2
        echo "Install one (on Debian and Ubuntu: apt-get install python3.11 python3.11-venv) and run this again." >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends python3.11 python3.11-venv ||
        apt-get install -y -qq --no-install-recommends python3 python3-venv
}

PYTHON="$(find_python)" || {
    install_python
    PYTHON="$(find_python)" || {
        echo "setup.sh: this system offers no Python 3.11 or newer." >&2
        exit 1
    }
}

mkdir -p "$ROOT"
if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
    "$PYTHON" -m venv --clear "$VENV"
fi
pip() { "$VENV/bin/python" -m pip "$@"; }

if [ -n "$TORCH_INDEX" ]; then
    # Without dependencies: that index holds few versions of them, and the pins below want particular ones.
    grep -E '^(torch|torchvision)==' "$SOURCE/requirements.txt" >"$VENV/torch.txt"
    pip install --quiet --no-deps --index-url "$TORCH_INDEX" -r "$VENV/torch.txt"
fi
pip install --quiet -c "$SOURCE/constraints.txt" -r "$SOURCE/requirements.txt"
# The wheels keep their version while they change, so they are put in anew each time.
pip install --quiet --no-deps --force-reinstall "$SOURCE"/wheels/*.whl
# An optional part of jsonschema that makes `import otter` four seconds slower.
pip uninstall --quiet --yes rfc3987-syntax >/dev/null 2>&1 || true

# Students' code must not read what it is checked against.
chmod -R go-rwx "$SOURCE/bundle" "$SOURCE/tests"

"$VENV/bin/python" -I -c 'import deepmarks, deepmarks_grader, torch, otter'
echo "setup.sh: ready in $VENV"
