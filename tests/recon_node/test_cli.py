# SPDX-License-Identifier: Apache-2.0
"""The command `recon`: usage, help, exit codes, and that errors are one line."""

import os
import subprocess
import sys

import pytest

from recon_node.cli import COMMANDS


def test_help_names_every_command(recon):
    """List the commands with examples and exit codes."""
    run = recon("--help")
    assert run.code == 0
    assert all(f"    {name}" in run.out for name in COMMANDS)
    assert "examples:" in run.out and "exit codes:" in run.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_examples(command, recon):
    """Show at least one full example, that starts with the command itself."""
    run = recon(command, "--help")
    assert run.code == 0
    assert f"recon {command} " in run.out.split("examples:")[1]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "the following arguments are required: COMMAND"),
        (["reconstruckt"], "did you mean 'reconstruct'?"),
        (["reconstruct"], "the following arguments are required: IMAGE"),
        (["reconstruct", "a.png", "--mask-kind", "label"], "did you mean 'labels'?"),
        (["reconstruct", "a.png", "--depth-unit", "mm"], "invalid float value: 'mm'"),
        (["reconstruct", "a.png", "--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["evaluate"], "the following arguments are required: DIR"),
    ],
)
def test_bad_usage_is_one_line(arguments, message, recon):
    """Exit with 2 and one line that points to the help."""
    run = recon(*arguments)
    assert run.code == 2
    assert run.err.count("\n") == 1
    assert run.err.startswith("recon: error: ") and message in run.err
    assert "--help`" in run.err


def test_internal_error_is_one_line(recon, monkeypatch):
    """Exit with 1 after a bug, without a traceback but with the way to one."""
    monkeypatch.setattr("recon_node.commands.view.run", lambda args: 1 / 0)
    run = recon("view", "a.glb")
    assert run.code == 1
    assert run.err.count("\n") == 1
    assert "internal error: ZeroDivisionError: division by zero; run again with --debug" in run.err
    assert "Traceback" in recon("view", "a.glb", "--debug").err


def test_interrupt_exits_with_130(recon, monkeypatch):
    """Stop on Ctrl-C as shells expect."""

    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("recon_node.commands.view.run", interrupted)
    run = recon("view", "a.glb")
    assert (run.code, run.err) == (130, "recon: error: interrupted\n")


def test_module_is_the_command():
    """Run as `python -m recon_node`, with the exit code of the command."""
    run = subprocess.run(
        [sys.executable, "-m", "recon_node", "view", "missing.glb"], capture_output=True, text=True
    )
    assert run.returncode == 2
    assert run.stderr == (
        "recon: error: cannot read mesh missing.glb: there is no such file; check the path\n"
    )


def test_closed_pipe_is_no_error(ball):
    """End quietly where the reader of stdout went away."""
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run(
        [sys.executable, "-m", "recon_node", *ball.command(), "--no-preview"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert (run.returncode, run.stderr) == (0, "")
