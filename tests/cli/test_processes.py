"""The command line in processes of its own: exit codes, and nothing on either output that is not ours."""

import os
import subprocess
import sys

import pytest

from interp.cli import main

ASKED = [
    "--prompt",
    " Mary and John to",
    "--corrupted",
    " John and Mary to",
    "--target",
    " Mary",
    "--contrast",
    " John",
]


def fresh(*arguments: object) -> subprocess.CompletedProcess:
    """Run a command line to its end."""
    command = [sys.executable, "-m", "interp.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_process_that_succeeds(checkpoint, capsys, tmp_path):
    """No log line or warning of a library reaches either output."""
    command = ["run", "activation-patching", "--model", str(checkpoint("llama")), *ASKED]
    found = fresh(*command, "--out", tmp_path / "effects")
    assert found.returncode == 0
    assert main(command) == 0
    assert found.stdout == capsys.readouterr().out
    assert [line.split()[0] for line in found.stderr.splitlines()] == ["saved", "change", "effect"]


def test_a_process_that_refuses(checkpoint):
    """A tokenizer that warns of a long text does not add its line to ours."""
    found = fresh("run", "logit-lens", "--model", checkpoint("llama"), "--prompt", " to" * 70)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)


def test_a_crash_is_not_bad_input():
    """A failure of the program shows where it happened and exits with 1."""
    code = "import sys, interp.cli as cli; sys.modules['interp.cli.models'] = None; sys.exit(cli.main(['models']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["models"]])
def test_a_reader_who_has_gone(arguments):
    """`interp … | head -1` ends quietly, even where everything fitted into the pipe's buffer."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "interp.cli", *arguments]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
