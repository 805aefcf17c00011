"""Results: what they accept, and the tidy tables that they give."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from making import KINDS, LABELS, SIZES, TEXTS, WORDS, axes_of, one_of, prompts_of

from interp import kinds
from interp.core.errors import ResultError
from interp.core.result import UNNUMBERED, Provenance, Result


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
        ("batch layer rank", (2, 3, 4)),  # an axis that the kind has not
        ("batch layer depth", (2, 3, 4)),  # an axis that nothing has
    ],
)
def test_wrong_axes_are_refused(axes, shape):
    with pytest.raises(
        ResultError, match=r"Effects\.effect has axes .*; declared batch layer\? head\? expert\? neuron\? pos\?"
    ):
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
    assert result.values().attrs["unit"] == "probability"
    assert effects(np.zeros((1, 2)), "batch layer").values().attrs["unit"] == "logits"
    assert result.data["query_token"].dims == ("batch", "query_pos")
    assert result.data["key_token"].values[1].tolist() == ["The", " keys", "\n", "", ""]
    assert result.data["layer"].values.tolist() == [0, 1, 2]
    assert effects(np.zeros((1, 2)), "batch layer", layer=[4, 7]).data["layer"].values.tolist() == [4, 7]
    with pytest.raises(ResultError, match="has no variable 'x'; choose one of"):
        result.values("x")


def test_facts_belong_to_the_whole_result(tmp_path):
    result = effects(np.zeros((1, 2)), "batch layer", facts={"graph": '{"layers": 3}'}, sign="a < b")
    loaded = Result.load(result.save(tmp_path / "r"))
    assert loaded.data.attrs == {"graph": '{"layers": 3}', "measured": "the effect", "sign": "a < b"}
    assert list(loaded.to_frame().columns) == ["layer", "effect"]


# Tables


@pytest.mark.parametrize(("kind", "table"), [(kind, t) for kind in KINDS for t in (None, *Result.kinds[kind].tables)])
def test_a_row_for_each_cell_without_padding(kind, table):
    result = one_of(kind)
    frame = result.to_frame(table)
    elsewhere = {name for names in result.tables.values() for name in names}
    names = result.tables[table] if table else [name for name in result.variables if name not in elsewhere]
    axes = {axis for name in names for axis in axes_of(result.variables[name].axes).split()} - {"bound"}
    positions = {"pos", "query_pos", "key_pos"} & axes if "batch" in axes else set()  # of prompts, not of windows
    rest = int(np.prod([SIZES[axis] for axis in axes - positions - {"batch"}]))
    prompts = sum(length ** len(positions) for length in (5, 3)) if "batch" in axes else 1
    assert len(frame) == rest * prompts
    labels = {axis.replace("pos", "token") for axis in positions} | ({"prompt"} if "batch" in axes else set())
    for axis in axes:
        labels |= set(LABELS.get(axis, ()))
    columns = {column for name in names for column in result.variables[name].columns}
    assert set(frame.columns) == axes - set(UNNUMBERED) | labels | columns
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


@pytest.mark.parametrize(("shell", "count"), [(SimpleNamespace(kernel=1), 2), (SimpleNamespace(), 1)])
def test_a_notebook_shows_the_figure_and_a_terminal_does_not(monkeypatch, shell, count):
    shown = []
    fake = SimpleNamespace(display=lambda value, **more: shown.append(value), HTML=lambda text: text)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=fake))
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    one_of("Patterns")._ipython_display_()
    assert len(shown) == count


def test_the_strongest_rows_come_first():
    result = one_of("Relevance")
    sizes = result.to_frame()["relevance"].abs().dropna()
    assert result.strongest(3)["relevance"].abs().tolist() == sorted(sizes, reverse=True)[:3]
