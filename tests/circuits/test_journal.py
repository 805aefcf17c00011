"""Searches that are stopped, killed and taken up again: nothing decided is lost, and nothing comes out otherwise."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest
from asking import pairs_for

from interp.circuits import acdc
from interp.circuits.search.edge_removal import EdgeRemoval
from interp.circuits.search.journal import Decision, Journal
from interp.cli import main
from interp.core.errors import Cancelled, ResultError
from interp.core.progress import reporting

QUESTION = {"engine": "acdc", "options": {"tau": 0.01}}
DECISIONS = [Decision(3, 7, 0.25, False, 1.5), Decision(2, 7, float("nan"), True, 1.5), Decision(1, 4, -0.1, True, 1.4)]
ASKED = ["--prompt", "When Mary and John went to", "--corrupted", "When John and Mary went to"]
ASKED += ["--target", " Mary", "--contrast", " John", "--tau", "0.01", "--batch", "1"]


def written(path, decisions=DECISIONS, question=QUESTION):
    with Journal(path, question, resume=False) as journal:
        for decision in decisions:
            journal.add(decision)
    return path


def read(path, question=QUESTION):
    with Journal(path, question, resume=True) as journal:
        return list(map(str, journal.decided))


def test_written_and_read(tmp_path):
    path = written(tmp_path / "new" / "journal.jsonl")
    assert read(path) == list(map(str, DECISIONS))
    header, *lines = path.read_text().splitlines()
    assert json.loads(header)["question"] == QUESTION
    assert len(lines) == len(DECISIONS)


def test_one_character_that_was_changed(tmp_path):
    """At any place: it is refused, or what is read is what was written, as far as it goes."""
    path, random = written(tmp_path / "journal"), np.random.default_rng(0)
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << random.integers(8)
        path.write_bytes(damaged)
        with suppress(ResultError):
            found = read(path)
            assert found == list(map(str, DECISIONS))[: len(found)], (place, bytes(damaged))


def test_a_journal_of_an_older_version_goes_on_with_checksums(tmp_path):
    path = tmp_path / "journal"
    lines = [{"question": QUESTION}, *DECISIONS[:2]]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with Journal(path, QUESTION, resume=True) as journal:
        assert len(journal.decided) == 2
        journal.add(DECISIONS[2])
    assert read(path) == list(map(str, DECISIONS))
    path.write_bytes(path.read_bytes().replace(b"0.25", b"0.26"))
    with pytest.raises(ResultError, match="damaged .*checksum of line 4"):
        read(path)


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_half_a_line_is_what_a_kill_leaves(tmp_path, cut):
    """It is cut off, and what is decided anew goes in its place."""
    path = written(tmp_path / "journal")
    path.write_bytes(path.read_bytes()[:-cut])
    assert read(path) == list(map(str, DECISIONS[:2]))
    with Journal(path, QUESTION, resume=True) as journal:
        journal.add(DECISIONS[2])
    assert read(path) == list(map(str, DECISIONS))


def test_nothing_to_resume(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "half").write_bytes(b'{"questi')
    assert read(tmp_path / "none") == read(tmp_path / "empty") == read(tmp_path / "half") == []


def test_without_resume_it_starts_anew(tmp_path):
    path = written(written(tmp_path / "journal"), DECISIONS[:1])
    assert read(path) == [str(DECISIONS[0])]


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"question": {"engine": "other"}}\n', "made with engine = other, not acdc; give another file"),
        ("some notes\n", "not a search journal"),
    ],
)
def test_files_of_others_are_left_alone(tmp_path, content, complaint, resume):
    path = tmp_path / "journal"
    path.write_text(content)
    with pytest.raises(ResultError, match=complaint), Journal(path, QUESTION, resume=resume):
        pass
    assert path.read_text() == content
    assert list(tmp_path.iterdir()) == [path]  # no lock is left


def test_a_line_that_is_no_decision(tmp_path):
    path = written(tmp_path / "journal")
    path.write_bytes(path.read_bytes() + b"[1, 2]\n")
    with pytest.raises(ResultError, match="is damaged"):
        read(path)


def test_two_runs_on_one_journal(tmp_path):
    path = tmp_path / "journal"
    with Journal(path, QUESTION, resume=False):
        with (
            pytest.raises(ResultError, match=r"another process is writing .*journal \(process \d+ on .*\); wait"),
            Journal(path, QUESTION, resume=True),
        ):
            pass
    assert read(path) == []


def test_a_full_disk(tmp_path, monkeypatch):
    """One line; what had been written is still good."""
    path = tmp_path / "journal"

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    message = r"No space left on device; free some disk space .*\(it holds the 1 decisions made so far\)"
    with pytest.raises(ResultError, match=message) as caught:  # noqa: PT012
        with Journal(path, QUESTION, resume=False) as journal:
            journal.add(DECISIONS[0])
            journal.flush()
            monkeypatch.setattr(os, "fsync", full)
            journal.add(DECISIONS[1])
            journal.flush()
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert read(path)[:1] == [str(DECISIONS[0])]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match="cannot write"), Journal(tmp_path / "file" / "j", QUESTION, resume=False):
        pass


@pytest.fixture
def search(tiny):
    model = tiny("llama")
    return lambda **options: acdc(model, pairs_for(model, "llama"), tau=0.01, **options)


def decided(result):
    return result.data["kept"].values


def stopped_after(edges):
    def report(label, done, total):
        if done == edges:
            raise Cancelled("cancelled")

    return report


def test_cancelled_and_resumed(search, tmp_path, monkeypatch):
    """What was decided is not run again, and the same edges are found."""
    whole, path, tried = search(), tmp_path / "journal", []
    with pytest.raises(Cancelled), reporting(stopped_after(100)):
        search(journal=str(path))
    assert len(read_lines(path)) == 101
    original = EdgeRemoval.trial_values
    monkeypatch.setattr(
        EdgeRemoval,
        "trial_values",
        lambda self, receiver, *rest: tried.append(receiver) or original(self, receiver, *rest),
    )
    resumed = search(journal=str(path), resume=True)
    assert (decided(resumed) == decided(whole)).all()
    np.testing.assert_allclose(resumed.data["removal_effect"], whole.data["removal_effect"], atol=1e-5)
    assert resumed.data["forwards"] < whole.data["forwards"]
    again = len(tried)
    assert (decided(search(journal=str(path), resume=True)) == decided(whole)).all()  # all of it is known
    assert len(tried) == again


@pytest.mark.parametrize("batch", [1, 8])
def test_resumed_at_any_line_the_numbers_are_the_same(search, tmp_path, batch):
    """To the bit: edges that were tried side by side are again."""
    whole, path = search(batch=batch, journal=str(tmp_path / "journal")), tmp_path / "cut"
    lines = (tmp_path / "journal").read_bytes().splitlines(keepends=True)
    for end in range(1, len(lines) + 1, 31):
        path.write_bytes(b"".join(lines[:end]))
        resumed = search(batch=batch, journal=str(path), resume=True)
        for name, array in whole.data.data_vars.items():
            if name != "forwards":
                np.testing.assert_array_equal(resumed.data[name], array, err_msg=f"{name}, line {end}")
        assert path.read_bytes() == b"".join(lines)


def test_a_budget_at_a_time(search):
    """Several runs with small budgets make one search; the journal in the cache goes when it is done."""
    whole, parts = search(), []
    while not parts or parts[-1].data["undecided"]:
        parts.append(search(budget=6, resume=True))
    assert len(parts) > 2
    assert (decided(parts[-1]) == decided(whole)).all()


def test_journals_in_the_cache_are_cleared(search, tmp_path):
    search(budget=5)
    assert len(list((tmp_path / "searches").glob("*.jsonl"))) == 1
    search(resume=True)
    assert not list((tmp_path / "searches").iterdir())


def read_lines(path):
    return path.read_text().splitlines()


@pytest.mark.slow  # a process of its own, with every import
def test_killed_and_resumed(checkpoint, tmp_path, capsys):
    """kill -9 in the middle, then the same command with --resume."""

    def edges(*more):
        assert main([*command, *more]) == 0
        return [line.split(",")[:2] for line in capsys.readouterr().out.splitlines()]

    command = ["run", "acdc", "--model", str(checkpoint("llama")), *ASKED]
    whole = edges()
    environment = {**os.environ, "INTERP_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1"}
    started = [sys.executable, "-m", "interp.cli", *command]
    process = subprocess.Popen(started, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: any(len(read_lines(path)) > 30 for path in tmp_path.rglob("*.jsonl")), process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (journal,) = (tmp_path / "searches").glob("*.jsonl")
    assert 30 < len(read_lines(journal)) < 190
    resumed = edges("--resume")
    assert resumed == whole
    assert resumed[0] == ["sender", "receiver"]
    assert 1 < len(resumed) < 190
    assert not journal.exists()


def until(true, process):
    end = time.monotonic() + 120
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)
