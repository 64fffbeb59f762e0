#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a virtual environment with pip: make_venv.sh DIRECTORY [PYTHON]
# Debian and Ubuntu ship python3 without ensurepip; that is repaired here, or the apt line is named.
set -eu

directory=$1
python=${2:-python3}

fail() {
    echo "make_venv: $*" >&2
    exit 1
}

has_ensurepip() {
    "$python" -c 'import ensurepip, venv' >/dev/null 2>&1
}

command -v "$python" >/dev/null 2>&1 || fail "'$python' is not on the PATH.
  Install it with: sudo apt-get install python3 python3-venv
  or name another one: make PYTHON=/path/to/python3.11 ..."

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "'$python' is \
$("$python" -V 2>&1), but its pinned packages need Python 3.11 or newer.
  Name a newer one: make PYTHON=python3.11 ..."

if ! has_ensurepip && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "make_venv: python3-venv is missing, installing it with apt-get" >&2
    (apt-get update -qq && apt-get install -y -qq python3-venv) >&2 ||
        echo "make_venv: apt-get failed, trying without it" >&2
fi

if has_ensurepip; then
    "$python" -m venv --clear "$directory"
elif "$python" -m virtualenv --version >/dev/null 2>&1; then
    "$python" -m virtualenv --clear -q "$directory"
elif "$python" -m pip --python "$(command -v "$python")" --version >/dev/null 2>&1; then
    "$python" -m venv --clear --without-pip "$directory"
    "$python" -m pip --python "$directory/bin/python" install -q pip
else
    fail "'$python' cannot make virtual environments: ensurepip is missing, and neither
  virtualenv nor pip stands in for it. On Debian and Ubuntu run
    sudo apt-get install python3-venv
  and repeat the command."
fi
