"""What a run leaves: one writer, one run, files whole or not at all, and one line for whatever is wrong."""

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic.dataclasses import dataclass
from safetensors import SafetensorError

from interp.core.errors import CorpusError, ResultError
from interp.core.folders import RunFile, RunFolder

HOLDS_A_LOCK = """
import sys, time
from pathlib import Path
from interp.core.folders import RunFolder
with RunFolder(Path(sys.argv[1])).locked(), RunFolder(Path(sys.argv[1])).scratch() as scratch:
    (scratch / "half").write_text("half")
    print("locked", flush=True)
    time.sleep(600)
"""


@dataclass(frozen=True, config={"extra": "forbid"})
class Record:
    """What a run was made with."""

    model: str
    windows: int


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "run", CorpusError)


def refusal(error, block) -> str:
    with pytest.raises(error) as caught:
        block()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", [RunFile, RunFolder])
def test_one_writer_at_a_time(kind, tmp_path):
    """The second is told who the first is, and no lock stays."""
    run = kind(tmp_path / "run", CorpusError)

    def second():
        with kind(tmp_path / "run", CorpusError).locked():
            pass

    with run.locked():
        said = refusal(CorpusError, second)
    assert said.startswith(f"another process is writing {run.path} (process {os.getpid()} on ")
    assert said.endswith(f"); wait for it to finish, or give another {kind.kind}")
    second()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_killed_writer(folder):
    """Its process is named while it runs; after kill -9 the lock is free, and what it left is cleared away."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS_A_LOCK, folder.path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    assert f"(process {process.pid} on " in refusal(CorpusError, folder.locked().__enter__)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(list(folder.path.glob(".*.unfinished/half"))) == 1
    (folder.path / ".file.unfinished").touch()
    (folder.path / "unfinished").touch()
    with folder.locked():
        assert {path.name for path in folder.path.iterdir()} == {".lock", "unfinished"}


def test_waiting_for_a_writer(folder):
    """Whoever has patience gets in once the other is gone."""
    code = HOLDS_A_LOCK.replace("time.sleep(600)", "time.sleep(1)")
    process = subprocess.Popen([sys.executable, "-c", code, folder.path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    with folder.locked(patience=60):
        assert {path.name for path in folder.path.iterdir()} == {".lock"}
    process.communicate()


@pytest.mark.parametrize(
    ("there", "wanted", "says"),
    [
        ({"lr": 0.1}, {"lr": 0.2}, "lr = 0.1, not 0.2"),
        ({"lr": 0.1, "k": 3}, {"lr": 0.1}, "k = 3, not None"),
        ({}, {"k": None}, "k = None, not None"),
        ({"a": 1, "inner": {"b": [1], "c": 2}}, {"a": 1, "inner": {"b": (1,), "c": 3}}, "c = 2, not 3"),
        ({"inner": {"b": 1}}, {"inner": 5}, "inner = {'b': 1}, not 5"),
        ({"path": "x"}, {"path": Path("y")}, "path = x, not y"),
        ({"text": "x" * 5000}, {"text": "a\nb"}, f"text = {'x' * 100}…(4,800 characters)…{'x' * 100}, not a b"),
    ],
)
def test_another_run(there, wanted, says, folder):
    said = refusal(CorpusError, lambda: folder.require_same(there, wanted))
    assert said == f"{folder.path} was made with {says}; give another folder, or remove it"


def test_the_same_run(folder):
    folder.require_same({"a": [1, 2], "inner": {"b": "x"}}, {"inner": {"b": Path("x")}, "a": (1, 2)})


def test_a_record(folder):
    assert folder.record("about.json", Record) is None
    record = Record("tiny", 3)
    folder.write_record("about.json", asdict(record))
    assert folder.record("about.json", Record) == record
    assert folder.record("about.json", dict) == json.loads((folder.path / "about.json").read_text()) == asdict(record)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "damaged"),
        (b'{"model": "tiny", "win', "damaged"),
        (b"[]", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b'{"model": "tiny", "windows": "many"}', "damaged (windows: "),
        (b'{"model": "tiny"}', "of another version (windows: field required)"),
        (b'{"model": "tiny", "windows": 3, "more": 1}', "of another version (more: unexpected keyword argument)"),
    ],
)
def test_a_record_that_cannot_be_used(content, says, folder):
    folder.write("about.json", content)
    said = refusal(CorpusError, lambda: folder.record("about.json", Record))
    assert said.startswith(f"{folder.path / 'about.json'} is {says}")
    assert f"; remove {folder.path} and run again" in said


@pytest.mark.parametrize("error", [ValueError("two\nlines"), KeyError("name"), EOFError(), OSError("short")])
def test_whatever_a_reader_raises_is_damage(error, folder):
    def read():
        with folder.reading(folder.path / "file", "remove it"):
            raise error

    reason = " ".join(str(error).split()) or "EOFError"
    assert refusal(CorpusError, read) == f"{folder.path / 'file'} is damaged ({reason}); remove it"


def test_what_may_not_be_read_is_not_called_damaged(folder):
    def read():
        with folder.reading(folder.path / "file"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    assert "cannot read" in refusal(CorpusError, read)


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), SafetensorError("No space left on device (os error 28)")],
)
def test_a_full_disk(error, folder):
    """Whichever library wrote: one line, and neither a part of the file nor what was there before is touched."""
    folder.write("file", b"before")

    def write():
        with folder.making("file") as scratch:
            (scratch / "file").write_bytes(b"half")
            raise error

    said = refusal(CorpusError, write)
    assert said.startswith(f"cannot write {folder.path / 'file'}: No space left on device")
    assert said.endswith("; free some disk space or choose another folder")
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == {"file": b"before"}


def test_a_full_disk_in_any_words(folder, monkeypatch):
    """A library's error without a number: the disk is looked at. Another error stays what it is."""

    def write():
        with folder.scratch():
            raise RuntimeError("unexpected pos 64 vs 0")

    with pytest.raises(RuntimeError, match="unexpected pos"):
        write()
    monkeypatch.setattr("interp.core.folders.shutil.disk_usage", lambda path: SimpleNamespace(free=4096))
    assert "No space left on device; free some space" in refusal(CorpusError, write)


def test_what_others_are_writing_is_left_alone(folder):
    """Only what no process holds any more is cleared, by whoever writes next in the folder."""
    with folder.scratch() as first:
        (first / "half").touch()
        folder.write("file", b"whole")
        assert (first / "half").exists()
    assert {path.name for path in folder.path.iterdir()} == {"file"}


def test_the_last_file_vouches_for_the_others(folder, monkeypatch):
    """Stopped between any two files, the last one is not there; nothing unfinished stays."""
    order, replace = [], os.replace

    def stopping(made, path):
        order.append(path.name)
        if len(order) == 3:
            raise KeyboardInterrupt
        replace(made, path)

    monkeypatch.setattr(os, "replace", stopping)
    with pytest.raises(KeyboardInterrupt), folder.making("a") as scratch:  # noqa: PT012
        for name in "abc":
            (scratch / name).write_text(name)
    assert (sorted(order[:2]), order[2]) == (["b", "c"], "a")
    assert {path.name for path in folder.path.iterdir()} == {"b", "c"}


def test_a_folder_is_put_in_place_whole(folder):
    with folder.making("checkpoint") as scratch:
        (scratch / "checkpoint" / "deep").mkdir(parents=True)
        (scratch / "checkpoint" / "deep" / "file").write_text("x")
        assert not (folder.path / "checkpoint").exists()
    assert (folder.path / "checkpoint" / "deep" / "file").read_text() == "x"
    assert [path.name for path in folder.path.iterdir()] == ["checkpoint"]


def test_nothing_there_and_a_part_there(folder):
    assert str(folder.missing("cards", "make")) == f"{folder.path} holds no cards; make them with `make`"
    assert str(folder.unfinished("2 of 4", "go on")) == f"{folder.path} holds 2 of 4; finish it with `go on`"
    assert isinstance(RunFile(folder.path).missing("cards", "make"), ResultError)
