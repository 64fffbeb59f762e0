# SPDX-License-Identifier: Apache-2.0
"""The text of recon's ROS interfaces: with it rosbags reads our messages where there is no ROS.

A wheel and a colcon workspace carry the folders msg, srv and action inside `recon_node`; an
editable install leaves them where they are, beside it.
"""

from pathlib import Path

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
    paths = _paths(kind)
    if name not in paths:
        raise UnknownNameError(f"{kind} interface", name, paths)
    return paths[name].read_text(encoding="utf-8")


def interface_texts() -> dict[str, str]:
    """Definition of every interface by its ROS type name, such as "recon/msg/ObjectMesh"."""
    return {
        f"recon/{kind}/{name}": path.read_text(encoding="utf-8")
        for kind in KINDS
        for name, path in sorted(_paths(kind).items())
    }


def _paths(kind: str) -> dict[str, Path]:
    package = Path(__file__).resolve().parent
    inside = package / kind
    folder = inside if inside.is_dir() else package.parent / kind
    return {path.stem: path for path in folder.glob(f"*.{kind}")}
