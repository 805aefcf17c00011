"""Asks: from an engine and its arguments follow the run, its key, and the Python that gives the same."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from delivering import ASKED, checked, run_all
from interp_dashboard.asking import Ask, Call, Deferred, literal, qualified_name
from interp_dashboard.pages import PAGES
from interp_dashboard.pages.attribution.state import METHODS
from interp_dashboard.state import View
from interp_dashboard.work import short
from interp_dashboard.workspace import KINDS, Workspace

import interp
from interp import readout
from interp.core.result import Result
from interp.engines import all_engines
from interp.models import HookedModel

MORE = {
    "nodes": ("a1.1", "m0"),
    "picked": "m1",
    "how": "resample",
    "channel": "a0.1>q1.2~1",
    "query": 3,
    "cuts": ("a1.1",),
    "versus": "eap-ig",
    "edges": 40,
    "methods": tuple(METHODS),
    "changed": ("skip1",),
}
PORTED = ("overview", "lens", "heads", "attribution", "circuit", "layers", "ablate", "geometry", "probes")
OF_PROGRAMS = ("selector", "variables")
CONTENTS = {content.name for page in PAGES if page.name in PORTED for content in page.contents} - {*OF_PROGRAMS}


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def shared_workspace(tiny: Callable[..., HookedModel]) -> Iterator[Workspace]:
    """What panels have in common runs once."""
    made = Workspace(tiny("llama"))
    yield made
    made.close()


def same(one: Result, other: Result) -> bool:
    """Equal numbers and labels; a decomposition that is computed twice may differ in its last bits."""
    return all(
        np.array_equal(array, other.data[name])
        if array.dtype.kind not in "fc"
        else np.allclose(array, other.data[name], rtol=1e-4, atol=1e-5, equal_nan=True)
        for name, array in one.data.data_vars.items()
    )


@pytest.mark.parametrize("name", sorted(CONTENTS))
def test_the_copied_python_gives_what_the_panel_shows(
    shared_workspace: Workspace, model: HookedModel, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(interp, "load", lambda name: model)
    fields = KINDS[name][1].__dataclass_fields__
    require_same(shared_workspace, name, ASKED | {k: v for k, v in MORE.items() if k in fields})


@pytest.mark.parametrize("name", [*OF_PROGRAMS, "circuit"])
def test_so_it_does_of_a_compiled_program(name: str) -> None:
    asked: dict[str, Any] = {"clean": "a b a", "corrupted": "b b a", "answer": "2", "contrast": "1"}
    workspace = Workspace(interp.load("rasp/hist"))
    truth = {"truth": "static"} if name == "circuit" else {}
    require_same(workspace, name, asked | {"layer": 0, "head": 0} | truth)
    workspace.close()


def require_same(workspace: Workspace, name: str, asked: dict[str, Any]) -> None:
    """Executed as it stands: the same results, and the same figure where one is shown."""
    content, kind = KINDS[name]
    view = checked(workspace, kind(**asked))
    got, status = run_all(workspace, view, [name])
    assert status["errors"] == {}
    scope: dict[str, Any] = {}
    exec(got[name]["python"], scope)
    want = workspace.display(name, vars(view))
    shown = workspace.result(want)
    given = scope["results"] if isinstance(shown, dict) else {"": scope["result"]}
    for key, result in (shown if isinstance(shown, dict) else {"": shown}).items():
        assert same(result, given[key])
        assert result.provenance.options == given[key].provenance.options
    if content.payload is None:
        assert scope["figure"].to_plotly_json()["data"] is not None
        assert len(scope["figure"].data) == len(got[name]["figure"]["data"])


def test_a_call_is_told_apart_by_its_engine_and_arguments_and_by_nothing_else(model: HookedModel) -> None:
    ask = Ask(interp.circuits.ablation, lambda model, view: view.comparison | {"nodes": view.nodes}, "one")
    other = replace(ask, label="another", passes=lambda model, tokens: 9)
    view = View(**ASKED, nodes=("a1.1",))
    call = ask.call(model, view)
    assert call is not None
    for same_call in (ask.call(model, replace(view, layer=0, query=2)), other.call(model, view)):
        assert same_call is not None
        assert same_call.key == call.key
    for different in (replace(view, nodes=("m0",)), replace(view, clean="Mary gave a drink to")):
        changed = ask.call(model, different)
        assert changed is not None
        assert changed.key != call.key


def test_edits_in_force_are_part_of_a_call(model: HookedModel) -> None:
    def edits(model: HookedModel, view: View) -> Deferred:
        return Deferred(f"made({literal(view.nodes)})", lambda model: [])

    ask = Ask(interp.readout.logit_lens, lambda model, view: view.prompt)
    view = View(**ASKED, nodes=("a1.1",))
    plain, edited = ask.call(model, view), replace(ask, edits=edits).call(model, view)
    assert plain is not None
    assert edited is not None
    assert plain.key != edited.key
    assert 'with model.edited(made(("a1.1",))):' in edited.python()


@pytest.mark.parametrize(
    "value",
    ['a "quoted" word\\\n\t', "↑ é 字", True, None, 3, -2.5, (), ("a1.1",), ["x", 1], (1, 2), math.pi, "</script>"],
)
def test_values_are_written_as_python_reads_them(value: Any) -> None:
    assert eval(literal(value)) == value


def test_every_engine_is_found_where_a_script_looks_for_it() -> None:
    for engine in all_engines().values():
        assert eval(qualified_name(engine), {"interp": interp}).name == engine.name


def test_a_call_made_twice_has_one_short_name() -> None:
    """What is made when a call runs is made by another function each time; the expression names it."""
    calls = [
        Call(readout.logit_lens, {"edits": Deferred("made(model)", lambda model: model)}, "reading") for _ in range(2)
    ]
    assert short(calls[0].key) == short(calls[1].key)
