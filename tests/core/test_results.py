"""Results: exact on disk, whole or not at all, and tidy tables."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import h5netcdf
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from interp.core import kinds
from interp.core.errors import ResultError
from interp.core.prompts import Prompts
from interp.core.result import Provenance, Result

TEXTS = ('The keys\nto 🗝️ <b>it</b> & "é"', "The")
WORDS = ("The", " keys", "\n", "🗝️", "<b>", "\t", '"', "ġ\u200d", "−")
SIZES = {"batch": 2, "layer": 3, "head": 4, "pos": 5, "query_pos": 5, "key_pos": 5, "rank": 2, "d_head": 3}
SIZES |= {"component": 6}
KINDS = tuple(Result.kinds)


def prompts_of(lengths=(5, 3), texts=TEXTS) -> Prompts:
    """Prompts without a model: five tokens and three, the shorter one padded."""
    width = max(lengths)
    mask = torch.tensor([[place < length for place in range(width)] for length in lengths])
    labels = tuple(tuple(WORDS[place % 9] if place < length else "" for place in range(width)) for length in lengths)
    return Prompts(tuple(texts[: len(lengths)]), mask.long(), mask, labels)


def axes_of(declared: str) -> str:
    return " ".join(axis.removesuffix("?") for axis in declared.split())


def one_of(kind: str, seed: int = 0) -> Result:
    """A result of that kind with every variable it may hold, some of them NaN, infinite or words."""
    random = np.random.default_rng(seed)
    values = {}
    for name, declared in Result.kinds[kind].variables.items():
        axes = axes_of(declared)
        shape = [SIZES[axis] for axis in axes.split()]
        if name.endswith("_token"):
            array = random.choice(np.array(WORDS, dtype=object), shape)
        else:
            array = random.normal(size=shape).astype(np.float32 if name in ("effect", "attention") else np.float64)
            array.flat[0] = np.nan
            array.flat[-1] = np.inf
        values[name.removesuffix("?")] = (axes, array)
    result = Result.kinds[kind].of(prompts_of(), values, "batch", unit="logits", measured="a − b", sign="a < b")
    return result.with_provenance(
        Provenance("engine", {"how": "zero", "layers": [0, 1], "by_position": None}, "m", "ab", "cd", 'logit(" é")')
    )


def effects(values, axes="batch layer head", **more) -> kinds.Effects:
    values = np.asarray(values, dtype=float)
    texts = [f"prompt {row}" for row in range(len(values))]
    prompts = prompts_of([5] * len(values), texts)
    return kinds.Effects.of(prompts, {"effect": values}, axes, unit="logits", measured="the effect", **more)


# Construction


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.float16, "float16"),
        (torch.bfloat16, "float32"),
        (torch.float32, "float32"),
        (torch.float64, "float64"),
        (torch.int64, "int64"),
        (torch.int32, "int32"),
        (torch.uint8, "uint8"),
        (torch.bool, "bool"),
    ],
)
def test_tensors_of_every_type(dtype, expected, tmp_path):
    """Keep their values, and their type where numpy has it; in memory and in a file."""
    plain = [[0.0, 1.0, 3.5], [2.0, 0.0, 1.0]]
    tensor = torch.tensor(plain).to(dtype)
    result = kinds.Effects.of(prompts_of(), {"effect": tensor}, "batch layer", unit="", measured="x")
    loaded = Result.load(result.save(tmp_path / "r"))
    for found in (result, loaded):
        assert str(found.values().dtype) == expected
        assert found.values().values.tolist() == tensor.tolist()


def test_a_tensor_that_asks_for_gradients():
    tensor = torch.ones(2, 3, requires_grad=True) * 2
    result = kinds.Effects.of(prompts_of(), {"effect": tensor}, "batch layer", unit="", measured="x")
    assert result.values().values.tolist() == [[2.0] * 3] * 2


@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ("layer head", (3, 4)),  # batch is not optional
        ("batch head layer", (2, 4, 3)),  # another order
        ("batch layer neuron", (2, 3, 4)),  # an axis that the kind has not
        ("batch layer depth", (2, 3, 4)),  # an axis that nothing has
    ],
)
def test_wrong_axes_are_refused(axes, shape):
    with pytest.raises(ResultError, match=r"Effects\.effect has axes .*; declared batch layer\? head\? pos\?"):
        kinds.Effects.of(prompts_of(), {"effect": np.zeros(shape)}, axes, unit="", measured="x")


@pytest.mark.parametrize("axes", ["batch", "batch layer", "batch pos", "batch layer pos", "batch layer head pos"])
def test_optional_axes_may_be_absent(axes):
    shape = [SIZES[axis] for axis in axes.split()]
    result = kinds.Effects.of(prompts_of(), {"effect": np.zeros(shape)}, axes, unit="", measured="x")
    assert result.values().dims == tuple(axes.split())


def test_undeclared_and_missing_variables_are_refused():
    values = {"effect": np.zeros(2), "surprise": np.zeros(2)}
    with pytest.raises(ResultError, match=r"undeclared \['surprise'\]"):
        kinds.Effects.of(prompts_of(), values, "batch", unit="", measured="x")
    with pytest.raises(ResultError, match=r"missing \['correct'\]"):
        kinds.TaskAccuracy.of(prompts_of(), {"difference": np.zeros(2)}, "batch", unit="", measured="x")


def test_labels_and_units():
    result = one_of("Patterns")
    assert result.values().attrs["unit"] == "logits"
    assert result.data["query_token"].dims == ("batch", "query_pos")
    assert result.data["key_token"].values[1].tolist() == ["The", " keys", "\n", "", ""]
    assert result.data["layer"].values.tolist() == [0, 1, 2]
    assert effects(np.zeros((1, 2)), "batch layer", layer=[4, 7]).data["layer"].values.tolist() == [4, 7]
    with pytest.raises(ResultError, match="holds no 'x'; choose one of"):
        result.values("x")


# Files


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
        with pytest.raises(ResultError, match="names no file; give one"):
            refused(name)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match=r"cannot write .*; free some space or choose another folder") as caught:
        one_of("Effects").save(tmp_path / "file" / "result")
    assert "\n" not in str(caught.value)


def test_a_folder_in_the_place_of_the_file(tmp_path):
    (tmp_path / "there.nc").mkdir()
    with pytest.raises(ResultError, match=r"cannot write .*there\.nc: Is a directory"):
        one_of("Effects").save(tmp_path / "there")
    assert names(tmp_path) == {"there.nc"}


def run(code: str) -> subprocess.CompletedProcess:
    """Run `code` in a process of its own, where `one_of` makes results as here."""
    known = f"import os, resource, runpy, signal; one_of = runpy.run_path({__file__!r})['one_of']\n"
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


def test_a_full_disk(tmp_path):
    """A limit on the file's size stands for the disk: one line, the old file, and nothing beside it."""
    old = one_of("Patterns", 1)
    path = old.save(tmp_path / "patterns")
    rooms = (20000, 1000, 0)
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
    assert "not a result of this program" in refused(path)


def test_a_file_whose_variables_are_not_its_kinds(tmp_path):
    path = tmp_path / "foreign.nc"
    data = xr.Dataset({"temperature": ("batch", [1.0])}, attrs={"kind": "Effects", "provenance": "{}"})
    data.to_netcdf(path, engine="h5netcdf")
    with pytest.raises(ResultError, match="undeclared \\['temperature'\\]"):
        Result.load(path)


def test_every_number_on_disk_is_checked(tmp_path):
    path = one_of("LayerReadout").save(tmp_path / "lens")
    with h5netcdf.File(path) as file:
        for name, variable in file.variables.items():
            if variable.dtype.kind in "fi":
                assert variable._h5ds.fletcher32, name


# Tables


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_for_each_cell_without_padding(kind):
    result = one_of(kind)
    frame = result.to_frame()
    axes = {axis for declared in result.variables.values() for axis in axes_of(declared).split()}
    positions = {"pos", "query_pos", "key_pos"} & axes
    rest = int(np.prod([SIZES[axis] for axis in axes - positions - {"batch"}]))
    assert len(frame) == rest * sum(length ** len(positions) for length in (5, 3))
    assert set(frame.columns) == axes | {axis.replace("pos", "token") for axis in positions} | {"prompt"} | {
        name.removesuffix("?") for name in result.variables
    }
    assert not (frame.filter(regex="^(query_|key_)?token$") == "").any().any()
    assert frame.index.tolist() == list(range(len(frame)))


def test_cells_stand_beside_their_labels():
    values = np.arange(2 * 3 * 5.0).reshape(2, 3, 5)
    frame = kinds.Effects.of(prompts_of(), {"effect": values}, "batch layer pos", unit="", measured="x").to_frame()
    assert list(frame.columns) == ["batch", "layer", "pos", "token", "prompt", "effect"]
    for row in frame.to_dict("records"):
        assert row["effect"] == values[row["batch"], row["layer"], row["pos"]]
        assert row["token"] == WORDS[row["pos"]]
        assert row["prompt"] == TEXTS[row["batch"]]


def test_one_prompt_has_no_batch_columns():
    frame = effects(np.arange(6.0).reshape(1, 2, 3)).to_frame()
    assert list(frame.columns) == ["layer", "head", "effect"]
    assert frame.effect.tolist() == list(range(6))
    assert effects([2.5], "batch").to_frame().to_dict("records") == [{"effect": 2.5}]


def test_summary_is_the_mean_over_prompts():
    values = np.random.default_rng(0).normal(size=(6, 2, 3))
    table = effects(values).summary()
    assert list(table.columns) == ["layer", "head", "effect", "effect_low", "effect_high"]
    assert len(table) == 6
    for row in table.to_dict("records"):
        cell = values[:, row["layer"], row["head"]]
        assert row["effect"] == pytest.approx(sum(cell) / 6)
        assert min(cell) <= row["effect_low"] < row["effect"] < row["effect_high"] <= max(cell)


def test_summary_of_one_number_a_prompt():
    table = effects([1.0, 2.0, 6.0], "batch").summary()
    assert len(table) == 1
    assert table.effect[0] == 3.0


def test_summary_leaves_out_prompts_without_a_value():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    table = effects(values, "batch layer").summary()
    assert table.effect[0] == 2.0
    assert (table.effect_low[0], table.effect_high[0]) == (1.0, 3.0)
    assert table.loc[1, ["effect", "effect_low", "effect_high"]].isna().all()


@pytest.mark.parametrize("kind", ["Patterns", "LayerReadout", "QueryKey", "Ablation"])
def test_no_mean_where_cells_do_not_correspond(kind):
    result = one_of(kind)
    assert not result.is_comparable
    with pytest.raises(ResultError, match="no mean"):
        result.summary()


def test_notebook_view_escapes_what_it_shows():
    result = one_of("Patterns").with_provenance(Provenance("<script>alert(1)</script>", model="<b>"))
    page = result._repr_html_()
    assert "<script>alert" not in page
    assert "<b>it</b>" not in page
    assert "a &lt; b" in page
    assert "a − b" in repr(result)
