# SPDX-License-Identifier: Apache-2.0
# The commands of a checkout; `make help` lists them. Needs python3 >= 3.11, make and a network.

PYTHON ?= python3
# CPU wheels of torch. Empty takes the default index, whose Linux wheels bring CUDA with them.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
PYTEST_ARGS ?=

CONSTRAINTS := requirements/constraints.txt
INSTALL_INPUTS := pyproject.toml setup.py $(CONSTRAINTS) requirements/make_venv.sh
BENCH_LRM := tests/benchmarks/bench_lrm.py tests/benchmarks/bench_extraction.py
BENCH_REFINE := tests/benchmarks/bench_refine.py tests/benchmarks/bench_refiner.py
ROS_INPUTS := requirements/add_ros.sh requirements/build_interfaces.sh requirements/ros_build.txt \
	CMakeLists.txt package.xml $(wildcard msg/* srv/* action/*)

# The environments bring their own ROS 2; one that is sourced must not come in front of it.
unexport PYTHONPATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH

.DEFAULT_GOAL := help
.PHONY: help demo demo-refine test lint bench bench-lrm bench-refine clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo: .venv/.ros  ## reconstruct the example scenes into out/, then over ROS 2 (no torch)
	.venv/bin/python examples/demo.py

demo-refine: .venv-test/.ros  ## refine an object of a moving camera over ROS 2 into out/refine (torch)
	.venv-test/bin/python examples/refine_demo.py

test: .venv-test/.ros  ## run every test
	OMP_NUM_THREADS=1 .venv-test/bin/pytest $(PYTEST_ARGS)

lint: .venv-test/.installed  ## check the code with ruff
	.venv-test/bin/ruff check .

bench: .venv/.ros  ## measure speed and memory into docs/benchmarks
	@set -e; for script in $(filter-out $(BENCH_LRM) $(BENCH_REFINE),$(wildcard tests/benchmarks/bench_*.py)); do \
		.venv/bin/python $$script; done

# By itself, because the official algorithm beside it takes minutes, and torch.
bench-lrm: .venv-test/.installed  ## measure TripoSR's network beside the official algorithm (torch)
	@set -e; for script in $(BENCH_LRM); do .venv-test/bin/python $$script; done

bench-refine: .venv-test/.installed  ## measure the refiner and its kernels beside plain torch
	@set -e; for script in $(BENCH_REFINE); do .venv-test/bin/python $$script; done

clean:  ## remove environments, build products and out/
	rm -rf .venv .venv-test build dist out *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: $(INSTALL_INPUTS)
	requirements/make_venv.sh .venv $(PYTHON)
	.venv/bin/python -m pip install -q --no-compile -c $(CONSTRAINTS) -e .
	@touch $@

# Where there are no ROS wheels or no compiler, the demo goes on without.
.venv/.ros: .venv/.installed $(ROS_INPUTS)
	@if requirements/add_ros.sh .venv/bin/python; then touch $@; fi

.venv-test/.installed: $(INSTALL_INPUTS)
	requirements/make_venv.sh .venv-test $(PYTHON)
	.venv-test/bin/python -m pip install -q --no-deps --retries 1 -c $(CONSTRAINTS) \
		$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	.venv-test/bin/python -m pip install -q -c $(CONSTRAINTS) -e '.[dev,train,evaluation,tsdf,gpu,bag,view,hub]'
	@touch $@

.venv-test/.ros: .venv-test/.installed $(ROS_INPUTS)
	requirements/add_ros.sh .venv-test/bin/python
	@touch $@
