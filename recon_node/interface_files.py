# SPDX-License-Identifier: Apache-2.0
"""The text of recon's ROS interfaces, as rosidl and rosbags want it, where there is no ROS.

The folders msg, srv and action are data packages below `recon_node`: setup.py puts them there in a wheel
and in an editable install, CMakeLists.txt in a colcon workspace.
"""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

from recon_node.engines.errors import UnknownNameError

KINDS = ("action", "msg", "srv")


def interface_text(kind: str, name: str) -> str:
    """Definition of one interface, with its comments.

    >>> interface_text("srv", "Clear").splitlines()[3]
    'string[] object_ids          # empty: all'

    Args:
        kind: "msg", "srv" or "action".
        name: of the interface, such as "ObjectMesh".

    Raises:
        UnknownNameError: there is no interface of that kind and name.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of interface", kind, KINDS)
    texts = {file.name.removesuffix(f".{kind}"): file for file in _files(kind)}
    if name not in texts:
        raise UnknownNameError(f"{kind} interface", name, texts)
    return texts[name].read_text(encoding="utf-8")


def interface_texts() -> dict[str, str]:
    """Definition of every interface by its ROS type name, such as "recon/msg/ObjectMesh"."""
    return {
        f"recon/{kind}/{file.name.removesuffix(f'.{kind}')}": file.read_text(encoding="utf-8")
        for kind in KINDS
        for file in _files(kind)
    }


def _files(kind: str) -> Iterator[Traversable]:
    found = (file for file in files(f"recon_node.{kind}").iterdir() if file.is_file())
    return (file for file in found if file.name.endswith(f".{kind}"))
