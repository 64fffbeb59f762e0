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
# The text of the ROS interfaces, for reading and writing bags where there is no ROS.
INTERFACES = {
    "recon_node.msg": "msg",
    "recon_node.srv": "srv",
    "recon_node.action": "action",
}

packages = [
    package
    for name, folder in ROOMS.items()
    for package in (name, *(f"{name}.{child}" for child in find_packages(folder)))
]

setup(
    packages=[*packages, *INTERFACES],
    package_dir=ROOMS | INTERFACES,
    package_data={
        "recon_node": ["data/*"],
        "recon_node.engines.lrm": ["weights/*"],
        **{package: [f"*.{kind}"] for package, kind in INTERFACES.items()},
    },
)
