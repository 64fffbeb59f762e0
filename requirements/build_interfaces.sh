#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds recon.msg, recon.srv and recon.action with CMake, and installs them beside the ROS wheels of a
# virtual environment: build_interfaces.sh PYTHON
# PYTHON is the environment's; it needs requirements/ros_build.txt and a C++ compiler. Repeating it is quick.
set -eu

python=$1
root=$(cd "$(dirname "$0")/.." && pwd)
prefix=$("$python" -c 'import sys; print(sys.prefix)')
build=$prefix/build/recon

fail() {
    echo "build_interfaces: $*" >&2
    exit 1
}

command -v c++ >/dev/null 2>&1 || fail "there is no C++ compiler.
  Install one with: sudo apt-get install g++"
cmake=$prefix/bin/cmake
[ -x "$cmake" ] || fail "'$prefix' has no cmake.
  Install it with: $python -m pip install -r $root/requirements/ros_build.txt"

# One job per core, unless CMAKE_BUILD_PARALLEL_LEVEL says otherwise.
jobs=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}

mkdir -p "$build"
log=$build/log.txt
run() {
    PATH="$prefix/bin:$PATH" "$@" >"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        fail "failed: $*
  All of it is in $log"
    }
}
AMENT_PREFIX_PATH=$prefix CMAKE_PREFIX_PATH=$prefix
export AMENT_PREFIX_PATH CMAKE_PREFIX_PATH
run "$cmake" -S "$root" -B "$build" -DRECON_INTERFACES_ONLY=ON -DBUILD_TESTING=OFF \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DPython3_EXECUTABLE="$prefix/bin/python" \
    -DCMAKE_BUILD_TYPE=Release
run "$cmake" --build "$build" --parallel "$jobs"
run "$cmake" --install "$build"
"$prefix/bin/python" -c 'import recon.action, recon.msg, recon.srv'
