# SPDX-License-Identifier: Apache-2.0
"""Maps the rooms of the checkout below one import root, `recon_node`.

The folders `engines` and `kernels` must never be importable by their bare names: Hugging Face ships
a package called `kernels` that other libraries probe for. Everything else is in pyproject.toml.
"""

from setuptools import find_packages, setup

ROOMS = {
    "recon_node": "recon_node",
    "recon_node.engines": "engines",
    "recon_node.kernels": "kernels",
    "recon_node.training": "training",
    "recon_node.evaluation": "evaluation",
}

packages = [
    package
    for name, folder in ROOMS.items()
    for package in (name, *(f"{name}.{child}" for child in find_packages(folder)))
]

setup(
    packages=packages,
    package_dir=ROOMS,
    package_data={"recon_node.engines.lrm": ["weights/*"]},
)
