# SPDX-License-Identifier: Apache-2.0
"""Warnings at the command line."""

import logging

import pytest

from recon_node.warning_log import ROOT_LOGGER, StderrHandler, collected_warnings

logger = logging.getLogger("recon_node.test")


@pytest.fixture
def handler():
    """The handler of the command line, on recon's logger for one test."""
    handler = StderrHandler()
    logging.getLogger(ROOT_LOGGER).addHandler(handler)
    yield handler
    logging.getLogger(ROOT_LOGGER).removeHandler(handler)


def test_each_warning_is_shown_once(handler, capsys):
    """Print a repeated warning once, and another one too."""
    for text in ("the same", "the same", "another"):
        logger.warning("a.png: %s", text)
    assert capsys.readouterr().err.splitlines() == [
        "recon: warning: a.png: the same",
        "recon: warning: a.png: another",
    ]


def test_warnings_are_collected_for_their_block():
    """Collect what is logged inside the block, warnings only."""
    with collected_warnings() as messages:
        logger.warning("depth is %s", "odd")
        logger.info("fine")
    logger.warning("later")
    assert messages == ["depth is odd"]


@pytest.mark.parametrize("with_tracebacks, count", [(False, 0), (True, 1)])
def test_tracebacks_are_shown_on_request(with_tracebacks, count, capsys):
    """Keep to one line unless the user debugs."""
    handler = StderrHandler(with_tracebacks=with_tracebacks)
    logger.addHandler(handler)
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        logger.warning("it failed", exc_info=True)
    logger.removeHandler(handler)
    assert capsys.readouterr().err.count("Traceback") == count
