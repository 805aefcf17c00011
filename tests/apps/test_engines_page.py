"""The page Engines without a browser: forms, options, scripts, files; nothing here knows an engine or a kind."""

import json
import shlex
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import dash_mantine_components as dmc
import numpy as np
import pytest
from delivering import BASE, answers, checked
from interp_dashboard.app import build, open_link
from interp_dashboard.pages.engines import asks, opening, tables
from interp_dashboard.pages.engines.form import controls
from interp_dashboard.pages.engines.state import Engines
from interp_dashboard.state import plain, state
from interp_dashboard.work import short
from interp_dashboard.workspace import Workspace
from pydantic import TypeAdapter

import interp
from interp import views
from interp.checks.contract import QUICK
from interp.cli.run import _parser
from interp.core.errors import EngineError, InterpError, OptionError, ResultError
from interp.core.options import bounds
from interp.core.result import Result
from interp.engines import all_engines
from interp.models import HookedModel

NAMES = tuple(all_engines())
CLEAN, CORRUPTED = "When Mary and John went to the store", "When John and Mary went to the store"
QUESTION = BASE | {"clean": CLEAN, "corrupted": CORRUPTED, "answer": " Mary", "contrast": " John"}
# What fits the 64 tokens of a tiny model, where an engine has such an option, and is quick.
SMALL = {"windows": 4, "length": 32, "n": 8, "batch": 64}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch: pytest.MonkeyPatch, model: HookedModel) -> None:
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path))
    monkeypatch.setattr(interp, "load", lambda name: model)


def options_of(name: str) -> dict[str, Any]:
    """Options with which an engine is done in a moment."""
    known = asks.defaults(all_engines()[name])
    return {option: value for option, value in SMALL.items() if option in known} | QUICK.get(name, {})


def viewed(name: str, options: Mapping[str, Any] | None = None, **more: Any) -> Engines:
    text = json.dumps(options) if options else ""
    return Engines(**QUESTION | {"engine": name, "options": text} | more)


def ran(workspace: Workspace, view: Engines, *names: str) -> tuple[dict, dict]:
    """Everything that the page shows of a view, after the click that runs it."""
    call = asks.EngineRun().call(workspace.model, view)
    held = workspace.deliver(plain(view), names, tab="one", have={}).status
    if call is not None:  # an opened result has been run already
        assert {short(call.key)} <= {work for works in held["works"].values() for work in works}
        workspace.runner.result(call.key, partial(call.run, workspace.model), label=call.label)
    return answers(workspace, view, names)


@pytest.mark.parametrize("name", NAMES)
def test_every_option_has_a_control_of_its_type_that_holds_its_default(name: str) -> None:
    engine = all_engines()[name]
    described = TypeAdapter(engine.options).json_schema().get("properties", {})
    made = controls(engine, {})
    assert [part.id.get("option", part.id.get("switch")) for part in made] == list(described)
    types = {"boolean": dmc.Switch, "integer": dmc.NumberInput, "number": dmc.NumberInput, "string": dmc.TextInput}
    for part, schema in zip(made, described.values(), strict=True):
        assert part.description.startswith(schema["description"])
        assert part.description.endswith(bounds(schema))
        if "type" in schema and schema["type"] in types and "enum" not in schema:
            assert type(part) is types[schema["type"]]
            assert (part.checked if isinstance(part, dmc.Switch) else part.value) == schema["default"]
        if "enum" in schema:
            assert (type(part), list(part.data), part.value) == (dmc.Select, schema["enum"], schema["default"])
        if "minimum" in schema:
            assert part.min == schema["minimum"]
        if schema.get("type") == "array":
            assert isinstance(part, dmc.MultiSelect | dmc.TagsInput)
            assert part.value == [str(entry) for entry in schema["default"]]


@pytest.mark.parametrize("name", NAMES)
def test_what_the_page_shows_is_what_its_python_and_its_command_give(
    workspace: Workspace, model: HookedModel, name: str
) -> None:
    engine, options = all_engines()[name], options_of(name)
    if engine.obstacle(model):
        with pytest.raises(EngineError, match="does not support"):
            asks.EngineRun().call(model, viewed(name))
        return
    view = checked(workspace, viewed(name, options))
    got, status = ran(workspace, view, "engine_result", "engine_table")
    assert status["errors"] == {}
    scope: dict[str, Any] = {}
    exec(got["engine_result"]["python"], scope)
    again = scope["result"]
    table, frame = got["engine_table"], again.to_frame()
    assert table["columns"] == list(frame.columns)
    assert table["total"] == len(frame)
    for number, (column, is_number) in enumerate(zip(table["columns"], table["numeric"], strict=True)):
        shown = [row[number] for row in table["rows"]]
        expected = frame[column].head(tables.MOST)
        if is_number:
            numbers = np.array([np.nan if value is None else float(value) for value in shown])
            np.testing.assert_allclose(numbers, expected.astype(float), rtol=1e-4, atol=1e-5)
        else:
            assert shown == expected.tolist()
    words = shlex.split(asks.command(model, view))
    assert words[:3] == ["interp", "run", name]
    parsed = _parser(engine).parse_args(words[3:])
    typed = {option: getattr(parsed, option) for option in options if getattr(parsed, option) is not None}
    assert engine.parse_options(typed) == engine.parse_options(options)
    for word in table["choices"].get("show", ()):  # what this result does not hold is not offered
        assert views.figure(again, show=word).data
    beside_itself(again)


def beside_itself(result: Result) -> None:
    """Every kind has a difference from itself, and it is zero; and both sides are drawn."""
    pair = {"first": result, "second": result}
    assert views.beside(pair, side="second").data
    values = views.difference_table(pair)["difference"].to_numpy(dtype=float)
    assert np.nanmax(np.abs(values[np.isfinite(values)]), initial=0) == 0
    assert views.difference(pair).layout.meta["kind"] == type(result).__name__


def test_a_long_run_waits_for_its_click_and_a_kept_one_does_not(workspace: Workspace) -> None:
    view = checked(workspace, viewed("logit-lens"))
    _, status = answers(workspace, view, ["engine_result"])
    assert status["held"] == {"engine_result": asks.WAITS}
    got, status = ran(workspace, view, "engine_result")
    assert status["held"] == {}
    assert got["engine_result"]["figure"]["data"]
    same, _ = answers(workspace, viewed("logit-lens", {"top": 5}), ["engine_result"])  # 5 is the default
    assert same["engine_result"]["python"] == got["engine_result"]["python"]


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("logit-lens", {"top": 0}, "top = 0"),
        ("logit-lens", {"top": "x"}, "top = 'x'"),
        ("acdc", {"objective": "best"}, "objective = 'best'"),
        ("attnlrp", {"latent": ["stream", "souls"]}, "latent.1 = 'souls'"),
        ("eap", {"nonsense": 1}, "no option 'nonsense'"),
    ],
)
def test_a_wrong_option_is_told_in_the_librarys_one_line(
    workspace: Workspace, name: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(OptionError) as caught:
        all_engines()[name].parse_options(options)
    _, status = answers(workspace, viewed(name, options), ["engine_result"])
    assert status["errors"]["engine_result"] == str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_told_in_one_line(workspace: Workspace) -> None:
    view = checked(workspace, viewed("activation-patching", corrupted=""))
    with pytest.raises(InterpError, match="corrupted") as caught:
        ran(workspace, view, "engine_result")
    assert "\n" not in str(caught.value)


def test_own_text_or_the_question(model: HookedModel) -> None:
    own, question = (asks.EngineRun().call(model, viewed("head-scores", reads=reads)) for reads in ("own", "question"))
    assert "prompts" not in own.arguments
    assert question.arguments["prompts"] == CLEAN
    assert "target" not in question.arguments


def test_a_link_holds_the_engine_and_its_options(workspace: Workspace) -> None:
    wanted = {"engine": "acdc", "options": '{"tau":0.5,"how":"zero"}', "drawing": '{"by":"head"}', "table": "totals"}
    link = "&".join(f"{name}={value}" for name, value in wanted.items())
    asked, notice, *_ = open_link(workspace, f"?page=engines&{link}")
    assert notice["text"] == ""
    assert {name: asked["view"][name] for name in wanted} == wanted
    call = asks.EngineRun().call(workspace.model, state(Engines, asked["view"]))
    assert {name: call.arguments[name] for name in ("tau", "how")} == {"tau": 0.5, "how": "zero"}


@pytest.mark.parametrize(
    "part", ["engine=nothing", "options=[1]", "options={", 'options={"a":NaN}', "opened=../../x", "beside=<b>"]
)
def test_a_broken_link_says_so_and_shows_the_rest(workspace: Workspace, part: str) -> None:
    asked, notice, *_ = open_link(workspace, f"?page=engines&{part}&table=totals")
    assert "Part of this link was ignored" in notice["text"]
    assert asked["view"]["table"] == "totals"
    assert asked["view"][part.partition("=")[0]] == ""


# Files and results


@pytest.fixture
def client(model: HookedModel) -> Iterator[Any]:
    app, made = build(model)
    yield app.server.test_client()
    made.close()


def test_a_saved_result_is_opened_as_if_it_had_just_run(
    workspace: Workspace, model: HookedModel, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = interp.circuits.activation_patching(model, CLEAN, corrupted=CORRUPTED, target=" Mary", contrast=" John")
    content = result.save(tmp_path / "mine").read_bytes()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    read = opening.read(content, "mine.nc")
    assert not list((tmp_path / "temporary").iterdir())
    name = workspace.runner.keep(opening.key(content), read)
    got, status = answers(workspace, viewed("", opened=name), ["engine_result", "engine_table"])
    assert status["errors"] == {}
    frame = result.to_frame()
    assert [row[-1] for row in got["engine_table"]["rows"]] == frame.iloc[:, -1].tolist()
    assert got["engine_table"]["origin"]["engine"] == "activation-patching"
    assert [entry["name"] for entry in opening.recent(workspace.runner.answers())] == [name]


@pytest.mark.parametrize("by_position", [False, True])
def test_a_circuits_file_is_opened_as_its_edges(model: HookedModel, tmp_path, by_position: bool) -> None:
    found = interp.circuits.eap(
        model, CLEAN, corrupted=CORRUPTED, target=" Mary", contrast=" John", by_position=by_position
    )
    circuit = interp.Circuit.of(found, 12, prune=False)
    read = opening.read(circuit.save(tmp_path / "circuit.json").read_bytes(), "circuit.json")
    frame = read.to_frame()
    expected = circuit.to_frame()
    assert len(expected) == 12
    for column in expected.columns:
        assert frame[column].tolist() == expected[column].tolist()
    assert views.figure(read).data
    assert read.provenance.weight_hash == model.weight_hash


@pytest.mark.parametrize("content", [b"", b"no file", b"\x89HDF\r\n\x1a\n broken", b"{}", b'{"nodes": 1', b"\x80\x04."])
def test_a_file_that_is_no_result_is_one_line_with_its_name(content: bytes) -> None:
    with pytest.raises(ResultError) as caught:
        opening.read(content, "../mine<b>.nc")
    assert "\n" not in str(caught.value)
    assert "mineb" in str(caught.value)
    assert "/tmp" not in str(caught.value)


def test_a_damaged_file_and_a_large_one_are_refused(client: Any, model: HookedModel, tmp_path, monkeypatch) -> None:
    content = bytearray(interp.readout.attention(model, CLEAN).save(tmp_path / "mine").read_bytes())
    content[len(content) // 2] ^= 255
    answer = client.post("/_engine/open?name=mine.nc", data=bytes(content)).get_json()
    assert "mine.nc is damaged" in answer["error"]
    monkeypatch.setattr(opening, "UNPACKED", 10)
    whole = interp.readout.attention(model, CLEAN).save(tmp_path / "whole").read_bytes()
    assert "MiB of data" in client.post("/_engine/open?name=x.nc", data=whole).get_json()["error"]


def test_the_browser_opens_a_file_and_copies_a_script(client: Any, model: HookedModel, tmp_path) -> None:
    content = interp.readout.logit_lens(model, CLEAN).save(tmp_path / "mine").read_bytes()
    opened = client.post("/_engine/open?name=mine.nc", data=content).get_json()
    assert (opened["engine"], opened["prompt"]) == ("logit-lens", CLEAN)
    assert client.get("/_engine/results").get_json() == [opened]
    answer = client.post("/_engine/script", json=plain(viewed("logit-lens", {"top": 3}))).get_json()
    assert "interp.readout.logit_lens(" in answer["python"]
    assert answer["shell"].endswith("--top 3")
    assert "top = 0" in client.post("/_engine/script", json=plain(viewed("logit-lens", {"top": 0}))).get_json()["error"]


def test_a_result_that_is_gone_says_so(workspace: Workspace) -> None:
    _, status = answers(workspace, viewed("", opened="0" * 16), ["engine_result"])
    assert "no longer in memory" in status["errors"]["engine_result"]


def test_two_results_are_compared_on_one_scale(workspace: Workspace, model: HookedModel) -> None:
    asked = {"corrupted": CORRUPTED, "target": " Mary", "contrast": " John"}
    zero, mean = (interp.circuits.activation_patching(model, CLEAN, **asked, how=how) for how in ("zero", "mean"))
    names = [workspace.runner.keep(("kept", how), result) for how, result in (("zero", zero), ("mean", mean))]
    view = viewed("", opened=names[0], beside=names[1])
    got, status = answers(workspace, view, ["engine_first", "engine_second", "engine_difference"])
    assert status["errors"] == {}
    first, second = (got[f"engine_{side}"]["figure"]["data"][0] for side in ("first", "second"))
    assert (first["zmin"], first["zmax"]) == (second["zmin"], second["zmax"])
    effects = [result.values("effect").values for result in (zero, mean)]
    assert first["zmax"] == pytest.approx(np.abs(effects).max())
    table = views.difference_table({"first": zero, "second": mean})
    assert table["difference"].tolist() == pytest.approx((effects[0] - effects[1]).ravel().tolist())


def test_a_difference_is_taken_where_coordinates_agree(model: HookedModel) -> None:
    long, short_one = (interp.readout.attention(model, text) for text in (CLEAN, "When Mary and John went"))
    table = views.difference_table({"a": long, "b": short_one})
    width = short_one.data.sizes["query_pos"]
    difference = long.values().values[0, ..., :width, :width] - short_one.values().values[0]
    assert table["difference"].to_numpy() == pytest.approx(difference.ravel(), abs=1e-6)
    assert views.difference({"a": long, "b": short_one}).data
    with pytest.raises(ResultError, match="one kind"):
        views.difference({"a": long, "b": interp.readout.logit_lens(model, CLEAN)})
