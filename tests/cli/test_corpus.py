"""`interp corpus stats`: its folder, its refusals, and that a killed one goes on."""

import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from interp.core.errors import CorpusError
from interp.corpus.gathering import opened
from interp.corpus.store import Store
from interp.geometry.positions.position_sums import PositionSums


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("Mary and John went to the store with keys, a drink and books. " * 100)
    return path


@pytest.fixture
def stats(interp, checkpoint, text):
    """The command on the tiny Llama."""

    def run(*arguments: object):
        return interp("corpus", "stats", "--model", checkpoint("llama"), "--corpus", text, "--length", 12, *arguments)

    return run


def test_the_folder_and_what_is_said_of_it(stats, tiny, text, tmp_path):
    (tmp_path / "more.jsonl").write_text('{"text": "short"}\nno\n')
    out = tmp_path / "sums"
    asked = ("--corpus", tmp_path, "--skip-unreadable", "--windows", 20, "--shard", 3, "--skip", 2, "--out", out)
    found = stats(*asked)
    assert (found.code, found.out) == (0, f"{out}\n")
    read, use = found.err.splitlines()
    assert re.fullmatch(rf"20 windows of 12 tokens from {tmp_path}.*; hash [0-9a-f]{{16}}", read)
    assert re.fullmatch(
        rf"sums of 20 windows; .* interp run position-context --model \S+ --skip 2 --statistics {out}", use
    )
    kept = opened(out, tiny("llama"), PositionSums(skip=2))
    assert kept.totals["windows"] == 20
    assert kept.windows.hash in read
    text.unlink()  # the windows are in the folder: the text is not read again
    before = (out / "totals.npz").read_bytes()
    again = stats(*asked)
    assert (again.code, again.err) == (0, found.err)
    assert (out / "totals.npz").read_bytes() == before


def test_fewer_windows_than_were_asked_for(stats, text, tmp_path):
    (tmp_path / "corpus").mkdir()
    for name, content in (("a.txt", "Mary and John went to the store, " * 4), ("b.txt", "keys"), ("c.txt", b"\xff")):
        (tmp_path / "corpus" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    found = stats("--corpus", tmp_path / "corpus", "--windows", 50, "--skip-unreadable", "--out", tmp_path / "sums")
    assert found.code == 0
    assert re.search(r"\(1 document shorter than a window skipped, 1 unreadable\)", found.err)
    assert "50 were asked for, and the corpus holds no more" in found.err


@pytest.mark.slow  # a process of its own, with every import
def test_killed_and_started_again(stats, checkpoint, tiny, text, tmp_path):
    """Killed in the middle without a word, the real command goes on to the sums of one that was not: bit for bit."""
    out, whole = tmp_path / "killed", tmp_path / "whole"
    options = ["--windows", "150", "--shard", "1", "--length", "12", "--corpus", str(text)]
    command = [sys.executable, "-m", "interp.cli", "corpus", "stats", "--model", str(checkpoint("llama")), *options]
    process = subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while not (out / "totals.npz").exists() and time.monotonic() < end:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = Store(out).totals()[1]
    assert 0 < done < 150
    with pytest.raises(CorpusError, match=rf"contains only {done} of 150 shards; finish with"):
        opened(out, tiny("llama"), PositionSums())
    assert stats(*options, "--out", out).code == 0
    assert stats(*options, "--out", whole).code == 0
    left, right = (opened(folder, tiny("llama"), PositionSums()) for folder in (out, whole))
    assert left.windows.hash == right.windows.hash
    for name, total in right.totals.items():
        assert np.array_equal(left.totals[name], total), name
    for layer in range(4):
        assert np.array_equal(left.rows(f"context-{layer:03}"), right.rows(f"context-{layer:03}"))


def test_interrupted(stats, monkeypatch, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(PositionSums, "measure", stop)
    found = stats("--windows", 3, "--out", tmp_path / "sums")
    assert (found.code, found.out) == (130, "")
    assert f"{tmp_path / 'sums'} keeps what is done; the same command goes on from there\n" in found.err


OUT = ["--out", "{tmp}/sums"]
REFUSED = {
    "no folder": ([], "the following arguments are required: --out"),
    "empty folder": (["--out", ""], "--out names no folder; give one"),
    "folder that cannot be written": (["--out", "/proc/none"], "cannot write /proc/none: .*"),
    "no windows": ([*OUT, "--windows", "0"], "argument --windows: 0 is not from 1 to 1,000,000,000"),
    "windows in words": ([*OUT, "--windows", "many"], "argument --windows: invalid int value: 'many'"),
    "negative shard": ([*OUT, "--shard", "-3"], "argument --shard: -3 is not from 1 to 1,000,000,000"),
    "no workers": ([*OUT, "--workers", "0"], "argument --workers: 0 is not from 1 to 1,000,000,000"),
    "negative seed": ([*OUT, "--seed", "-1"], "argument --seed: -1 is not from 0 to 1,000,000,000"),
    "nothing left": ([*OUT, "--skip", "12"], "--skip 12 leaves nothing of windows of 12 tokens; skip fewer"),
    "over-long window": ([*OUT, "--length", "65"], "windows of 65 tokens exceed the context of 64 tokens of .*"),
    "over-long for the text": (
        [*OUT, "--corpus", "{tmp}/short.txt"],
        "contains 1 document, which is shorter than a window",
    ),
    "empty stream": ([*OUT, "--corpus", "{tmp}/empty.jsonl"], "contains no document; give a longer text"),
    "no corpus": ([*OUT, "--corpus", "/nowhere"], "there is no corpus '/nowhere'; give stdlib, a file"),
    "unreadable": ([*OUT, "--corpus", "{tmp}/bad.jsonl"], r"bad.jsonl:1 cannot be read \(.*\); fix or remove it"),
    "address": (
        [*OUT, "--windows", "3", "--address", "ray://127.0.0.1:1"],
        "no Ray cluster responds at ray://127.0.0.1:1 ",
    ),
    "unknown action": (["--nonsense"], "the following arguments are required: --out|unrecognized arguments"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_line(case, stats, tmp_path):
    arguments, message = REFUSED[case]
    for name, content in (("short.txt", "keys"), ("empty.jsonl", "\n"), ("bad.jsonl", "{")):
        (tmp_path / name).write_text(content)
    found = stats(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert (found.code, found.out) == (2, "")
    assert re.fullmatch(rf"(\d+ windows .*\n)?interp: .*({message}).*\n", found.err), found.err


def test_a_folder_of_another_request(stats, tmp_path):
    out = tmp_path / "sums"
    assert stats("--windows", 4, "--out", out).code == 0
    for more, message in (
        (["--windows", 5], "windows = 4, not 5"),
        (["--length", 13], "length = 12, not 13"),
        (["--seed", 1], "seed = 0, not 1"),
        (["--skip", 3], "skip = 1, not 3"),
        (["--shard", 2], "shard = 32, not 2"),
        (["--dtype", "float64"], "model = "),
    ):
        found = stats("--windows", 4, "--out", out, *more)
        assert found.code == 2
        assert re.search(rf"interp: {out} was made with {message}.*; give another folder, or remove it\n", found.err)
