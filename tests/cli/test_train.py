"""`interp train sae`: what it says, its refusals, and that a killed one goes on."""

import json
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

from interp import dictionaries

SMALL = ("--features", 24, "--k", 3, "--batch", 64, "--length", 12, "--block", 4, "--held", 2, "--layer", 1)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("Mary and John went to the store with keys, a drink and books. " * 100)
    return path


@pytest.fixture
def train(interp, checkpoint, text):
    """The command on the tiny Llama."""

    def run(*arguments: object):
        return interp("train", "sae", "--model", checkpoint("llama"), "--corpus", text, *SMALL, *arguments)

    return run


def test_the_folder_and_what_is_said_of_it(train, tiny, tmp_path):
    out = tmp_path / "out"
    found = train("--tokens", 1000, "--out", out)
    assert (found.code, found.out) == (0, f"{out}\n")
    read, trained, quality, active = found.err.splitlines()
    assert read.startswith("96 windows of 12 tokens from ")
    assert trained.startswith("24 features of z[1]: 1,024 tokens, the text read 0.99 times, ")
    assert "features never active, on 22 tokens of text it has not seen" in quality
    report = json.loads((out / "report.json").read_text())
    assert active.startswith(f"active features a token: 3.00 in training, {report['l0_as_saved']:.2f} as saved (")
    assert dictionaries.load(out).attach(tiny("llama")).name == str(out)
    again = train("--tokens", 1000, "--out", out)
    assert (again.code, again.err) == (0, found.err)


def test_without_a_folder_it_goes_where_engines_find_it(train, tiny, cache_home):
    found = train("--tokens", 128, "--site", "resid_post", "--architecture", "topk")
    try:
        assert found.out == f"{cache_home / 'dictionaries' / 'llama-resid_post1'}\n"
        assert "llama-resid_post1" in dictionaries.known(tiny("llama"))
    finally:
        for file in (cache_home / "dictionaries" / "llama-resid_post1").iterdir():
            file.unlink()
        (cache_home / "dictionaries" / "llama-resid_post1").rmdir()


@pytest.mark.slow
def test_killed_and_started_again(train, checkpoint, text, tmp_path):
    """The weights of a command that was not killed, to the last bit."""
    rest = ("--tokens", 20_000, "--checkpoint", 64)
    assert train(*rest, "--out", tmp_path / "whole").code == 0
    out = tmp_path / "killed"
    command = ["train", "sae", "--model", checkpoint("llama"), "--corpus", text, *SMALL, *rest, "--out", out]
    process = subprocess.Popen(
        [sys.executable, "-m", "interp.cli", *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 120
    while not list(out.glob("checkpoint-*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, process.stderr.read()
    process.communicate()
    assert list(out.glob("checkpoint-*"))
    assert not (out / "cfg.json").exists()
    assert train(*rest, "--out", out).code == 0
    one, other = (load_file(tmp_path / name / "sae_weights.safetensors") for name in ("whole", "killed"))
    assert one.keys() == other.keys()
    assert all(one[name].equal(other[name]) for name in one)
    assert json.loads((out / "report.json").read_text())["tokens"] == 20_032
    assert not list(out.glob("checkpoint-*"))
    assert not (out / ".unfinished").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--architecture", "other"], "architecture = 'other'"),
        (["--lr", "fast"], "lr = 'fast'"),
        (["--k", "99"], "k = 99 is more than the 24 features"),
        (["--skip", "12"], "skip = 12 leaves nothing of windows of 12 tokens"),
        (["--site", "nowhere"], "there is no site 'nowhere'"),
        (["--layer", "9"], "needs a layer from 0 to 2, not 9"),
        (["--layer", "-1"], "-1 is not from 0 to 1,000,000,000"),
        (["--corpus", "/none"], "/none"),
        (["--batch", "100000"], "fewer than one batch of 100,000"),
        (["--out", ""], "--out names no folder"),
        (["--wrong"], "see `interp train sae --help`"),
    ],
)
def test_refusals(arguments, says, train, tmp_path):
    found = train("--tokens", 128, "--out", tmp_path / "out", *arguments)
    assert (found.code, found.out) == (2, "")
    assert says in found.err.splitlines()[-1]
    assert found.err.splitlines()[-1].startswith("interp: ")
    assert not (tmp_path / "out").exists()


def test_it_is_among_the_commands(interp, capsys):
    with pytest.raises(SystemExit) as left:
        interp("train", "sae", "--help")
    assert left.value.code == 0
    assert "--saved-dtype" in capsys.readouterr().out
    found = interp("train")
    assert (found.code, found.out) == (2, "")
