"""Results on disk: exact, whole or not at all, and never believed when damaged."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
from fuzz.damaged_files import flips
from making import KINDS, one_of

from interp.core.errors import ResultError
from interp.core.result import Result

TESTS = Path(__file__).parents[1]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip_is_exact(kind, tmp_path):
    result = one_of(kind)
    path = result.save(tmp_path / "deep" / "er" / kind)
    assert path == tmp_path / "deep" / "er" / f"{kind}.nc"
    loaded = Result.load(path)
    assert type(loaded) is type(result)
    assert loaded.provenance == result.provenance
    assert loaded.data.identical(result.data)
    for name, variable in result.data.variables.items():
        if variable.dtype.kind in "fi":
            assert loaded.data.variables[name].dtype == variable.dtype, name
            assert loaded.data.variables[name].values.tobytes() == variable.values.tobytes()
    pd.testing.assert_frame_equal(loaded.to_frame(), result.to_frame())


def test_a_fresh_process_loads_it(tmp_path):
    path = one_of("LayerReadout").save(tmp_path / "lens")
    code = "import sys; from interp.core.result import Result; print(len(Result.load(sys.argv[1]).to_frame()))"
    found = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert int(found.stdout) == (5 + 3) * 3 * 2


def test_loading_never_unpickles(tmp_path, monkeypatch):
    path = one_of("Ablation").save(tmp_path / "good")
    evil = tmp_path / "evil.nc"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "run"),)

    evil.write_bytes(pickle.dumps(Evil()))

    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    Result.load(path)
    with pytest.raises(ResultError, match="not a result file"):
        Result.load(evil)
    assert not (tmp_path / "run").exists()


def test_saving_again_replaces_the_file_and_keeps_its_permissions_ordinary(tmp_path):
    first, second = one_of("HeadScores", 1), one_of("HeadScores", 2)
    path = second.save(first.save(tmp_path / "scores"))
    assert Result.load(path).data.identical(second.data)
    assert names(tmp_path) == {"scores.nc"}
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("name", ["", "/", "."])
def test_a_path_without_a_name(name):
    for refused in (one_of("Effects").save, Result.load):
        with pytest.raises(ResultError, match="is not a file name; give one"):
            refused(name)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match=r"cannot write .*; free some disk space or choose another folder") as caught:
        one_of("Effects").save(tmp_path / "file" / "result")
    assert "\n" not in str(caught.value)


def test_a_folder_in_the_place_of_the_file(tmp_path):
    (tmp_path / "there.nc").mkdir()
    with pytest.raises(ResultError, match=r"cannot write .*there\.nc: Is a directory"):
        one_of("Effects").save(tmp_path / "there")
    assert names(tmp_path) == {"there.nc"}


def run(code: str) -> subprocess.CompletedProcess:
    """Run `code` in a process of its own."""
    known = f"import os, resource, signal, sys; sys.path.insert(0, {str(TESTS)!r}); from making import one_of\n"
    return subprocess.run([sys.executable, "-c", known + code], capture_output=True, text=True, check=False)


KILL = "os.kill(os.getpid(), signal.SIGKILL)"
KILLED_WHILE = {
    "writing": f"os.fsync = lambda file: (os.ftruncate(file, 1000), {KILL})",
    "replacing": f"os.replace = lambda *names: {KILL}",
}


@pytest.mark.parametrize("moment", KILLED_WHILE)
def test_a_killed_writer_leaves_the_old_file(moment, tmp_path):
    old = one_of("Patterns", 1)
    path = old.save(tmp_path / "patterns")
    process = run(f"{KILLED_WHILE[moment]}\none_of('Patterns', 2).save({str(path)!r})")
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert Result.load(path).data.identical(old.data)
    left = list(names(tmp_path) - {path.name})
    assert len(left) == 1, "the test did not stop the writer in the middle"
    assert list(tmp_path.glob("*.nc")) == [path]
    with pytest.raises(ResultError, match="no result at"):
        Result.load(tmp_path / left[0])
    new = one_of("Patterns", 3)
    new.save(path)
    assert Result.load(path).data.identical(new.data)
    assert names(tmp_path) == {path.name}  # what the kill left is gone


def test_a_full_disk(tmp_path):
    """A limit on the file's size stands for the disk: one line, the old file, and nothing beside it."""
    old = one_of("Patterns", 1)
    path = old.save(tmp_path / "patterns")
    rooms = (10000, 1000, 0)
    assert path.stat().st_size > max(rooms)
    process = run(f"""
from interp.core.errors import ResultError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for room in {rooms}:
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        one_of("Patterns", 2).save({str(path)!r})
    except ResultError as error:
        print(error)
""")
    assert process.returncode == 0, process.stderr
    assert [line.startswith(f"cannot write {path}: ") for line in process.stdout.splitlines()] == [True] * len(rooms)
    assert Result.load(path).data.identical(old.data)
    assert names(tmp_path) == {path.name}


# Damage


def refused(path: Path) -> str:
    with pytest.raises(ResultError) as caught:
        Result.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("kept", [0, 1, 100, 0.3, 0.9, 0.999])
def test_a_truncated_file(kept, tmp_path):
    path = one_of("HeadScores").save(tmp_path / "scores")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    assert "damaged or not a result file" in refused(path)


@pytest.mark.parametrize("kind", ["Effects", "HeadScores", "Patterns"])
def test_a_flipped_bit_in_the_numbers(kind, tmp_path):
    """Anywhere in any of them, labels that are numbers included."""
    result = one_of(kind)
    path = result.save(tmp_path / "result")
    whole = path.read_bytes()
    for name, variable in result.data.variables.items():
        if variable.dtype.kind not in "fi":
            continue
        content = variable.values.tobytes()
        start = whole.find(content)
        assert start > 0, name
        for place in {0, len(content) // 2, len(content) - 1}:
            damaged = bytearray(whole)
            damaged[start + place] ^= 0x10
            path.write_bytes(damaged)
            if whole.count(content) == 1:
                assert "damaged" in refused(path)
    path.write_bytes(whole)
    assert Result.load(path).data.identical(result.data)


def test_no_result_at_all(tmp_path):
    assert "no result at" in refused(tmp_path / "missing.nc")
    (tmp_path / "folder.nc").mkdir()
    assert "no result at" in refused(tmp_path / "folder.nc")
    (tmp_path / "notes.nc").write_text("layer,head,effect\n0,0,1.0\n" * 100)
    assert "not a result file" in refused(tmp_path / "notes.nc")


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"kind": "Effects"},
        {"kind": "Effects", "provenance": "{"},
        {"kind": "Effects", "provenance": "[]"},
        {"kind": "Effects", "provenance": '{"engine": "x", "unheard": 1}'},
        {"kind": "Effects", "provenance": 3},
        {"kind": "Nonsense", "provenance": "{}"},
        {"provenance": "{}"},
    ],
)
def test_a_foreign_file(attributes, tmp_path):
    path = tmp_path / "foreign.nc"
    xr.Dataset({"effect": ("batch", [1.0])}, attrs=attributes).to_netcdf(path, engine="h5netcdf")
    assert "not a result file of interp" in refused(path)


def test_a_file_whose_variables_are_not_its_kinds(tmp_path):
    path = tmp_path / "foreign.nc"
    data = xr.Dataset({"temperature": ("batch", [1.0])}, attrs={"kind": "Effects", "provenance": "{}"})
    data.to_netcdf(path, engine="h5netcdf")
    with pytest.raises(ResultError, match="undeclared \\['temperature'\\]"):
        Result.load(path)


def test_any_byte_that_was_changed_is_noticed(tmp_path):
    """Data, names, attributes, structure, and the checksum itself."""
    damage = flips("Ablation", tmp_path / "ablation", 300, seed=0)
    assert damage == {"refused": 300}


def test_a_file_that_has_lost_its_checksum(tmp_path):
    path = one_of("Effects").save(tmp_path / "effects")
    path.write_bytes(path.read_bytes()[:-31])
    assert "its checksum is missing" in refused(path)


def test_a_file_of_an_older_version(tmp_path):
    """Those have no checksum over the whole file, but one in each array."""
    old = Result.load(Path(__file__).parent / "version_before" / "effects.nc")
    new = Result.load(old.save(tmp_path / "effects"))
    assert new.data.identical(old.data)
    assert new.provenance == old.provenance
