"""The view, its pages' parts, and its form in the address bar."""

from types import SimpleNamespace
from typing import Any, get_type_hints
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interp_dashboard.pages import PAGES
from interp_dashboard.pages.attribution.state import METHODS
from interp_dashboard.state import SHARED, Choice, Link, Values, View, own, plain, state
from interp_dashboard.workspace import Workspace

from interp.models import HookedModel

NAMES = tuple(page.name for page in PAGES)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
places = st.none() | st.integers(0, 2000)

SIZES = SimpleNamespace(layers=30, heads=9, kv_heads=3, experts=0)
LAYERS = SimpleNamespace(attention=SimpleNamespace(norm_after=None), parallel=False)
MODEL: Any = SimpleNamespace(name="smollm2-135m", dims=SIZES, layer_map=LAYERS)  # as far as a link needs it


def read(search: str) -> tuple[Values, str]:
    link = Link(search, MODEL)
    return link.read(NAMES, [page.state for page in PAGES]), link.problem


def address(values: Values) -> str:
    """The form that the browser writes: what is None is left out, lists have commas."""
    pairs = {name: ",".join(value) if isinstance(value, list) else value for name, value in values.items()}
    return "?" + urlencode({name: value for name, value in pairs.items() if value is not None})


SPECIAL: dict[str, st.SearchStrategy[Any]] = {  # fields whose types do not list what they may hold
    "clean": texts, "corrupted": texts, "answer": texts, "contrast": texts,
    "layer": st.none() | st.integers(0, 29), "head": st.none() | st.integers(0, 8), "query": places, "key": places,
    "nodes": st.lists(st.sampled_from(["a1.2", "a29.8", "m0", "m29"]), unique=True),
    "how": st.sampled_from(["zero", "mean", "resample"]),
    "methods": st.lists(st.sampled_from(list(METHODS)), unique=True), "method": st.sampled_from(["", *METHODS]),
    "edges": st.integers(1, 70_651),
    "cuts": st.lists(st.sampled_from(["a9.6>q10.1", "embed", "m3>logits", "a0.0"]), unique=True),
    "groups": st.lists(st.sampled_from(["movers:a9.6+a9.7", "late & <b>:m29", "ends:embed+logits"]), unique=True),
    "depth": st.none() | st.integers(0, 30), "channel": st.sampled_from(["", "a0.1>q1.2~1", "a28.8>v29.2~63"]),
    "feature": places, "token": texts,
    "engine": st.sampled_from(["", "logit-lens", "acdc"]), "options": st.sampled_from(["", '{"top":3,"how":"zero"}']),
    "opened": st.sampled_from(["", "0123456789abcdef"]), "beside": st.sampled_from(["", "fedcba9876543210"]),
    "drawing": st.sampled_from(["", '{"show":"heads"}']), "table": texts,
}  # fmt: skip


def held(kind: type[View]) -> st.SearchStrategy[View]:
    """States of a page: every field that its type or the table above knows."""
    known = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        words = [entry.words for entry in getattr(hint, "__metadata__", ()) if isinstance(entry, Choice)]
        if words:
            known[name] = st.sampled_from(list(words[0]))
        elif name in SPECIAL:
            known[name] = SPECIAL[name]
    return st.builds(kind, **known)


@settings(deadline=None)
@given(st.data(), st.sampled_from(PAGES))
def test_a_link_reopens_the_same_view(data: st.DataObject, page: Any) -> None:
    view = data.draw(held(page.state))
    given_values, problem = read(address(plain(view) | {"page": page.name}))
    assert problem == ""
    assert given_values.pop("page") == page.name
    assert state(page.state, given_values) == view
    assert state(page.state, plain(view)) == view


@given(st.text(max_size=80))
def test_no_link_breaks_it(search: str) -> None:
    values, problem = read(search)
    assert values.get("page", NAMES[0]) in NAMES
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("search", "kept", "says"),
    [
        (
            "?page=zz&layer=3&head=2&nodes=a1.1,a99.0,x&how=mean",
            {"layer": 3, "head": 2, "nodes": ["a1.1"], "how": "mean"},
            "Part of this link was ignored: there is no page 'zz' (and 2 more).",
        ),
        ("?nodes=a1.1,a99.0", {"nodes": ["a1.1"]}, "this model has no a99.0"),
        ("?nodes=x", {"nodes": []}, "'x' is not a head, an MLP or a direction"),
        ("?layer=1e9", {}, "there is no layer '1e9'"),
        ("?head=-1", {}, "there is no head '-1'"),
        ("?how=burn&colour=red", {}, "there is no how 'burn' (and 1 more)"),
        ("?%ff%fe=%ff", {}, "is not a parameter of a link"),
        (
            "?page=attribution&methods=rollout,<b>,attnlrp&method=x&ledger=y",
            {"page": "attribution", "methods": ["rollout", "attnlrp"]},
            "'<b>' is not a method (and 2 more)",
        ),
        (
            "?cuts=a9.6>q10.1,a9.6>q9.1,zz,m2>m3&groups=:a1.1,x:a99.0,good:a1.1&edges=70652",
            {"cuts": ["a9.6>q10.1", "m2>m3"], "groups": ["good:a1.1"]},
            "'a9.6>q9.1' is not an edge or a node (and 4 more)",
        ),
        ("?edges=70652", {}, "there is no edges '70652'"),
        ("?feature=-3", {}, "there is no feature '-3'"),
        ("?turn=1e9", {}, "there is no turn '1e9'"),
        ("?sorting=<b>", {}, "there is no sorting '<b>'"),
        ("?density=all", {}, "there is no density 'all'"),
        ("?feature=7&token=%20Mary&turn=4", {"feature": 7, "token": " Mary", "turn": "4"}, ""),
        ("?depth=31", {}, "there is no depth '31'"),
        *(
            (f"?channel={text.replace('>', '%3E')}&depth=1", {"depth": 1}, "is not a channel")
            for text in ("a0.1>q1.2", "a0.1>m1~0", "a99.9>q1.0~0", "a1.0>q0.0~0", "m0>q1.0~0", "a0.1>q1.2~x", "<b>")
        ),
    ],
)
def test_what_cannot_be_used_is_named_and_the_rest_kept(search: str, kept: Values, says: str) -> None:
    values, problem = read(search)
    assert values == kept
    assert says in problem
    assert bool(problem) == bool(says)


def test_a_dictionary_that_is_not_there(model: HookedModel) -> None:
    link = Link("?dictionary=nowhere", model)
    assert link.read(NAMES, [page.state for page in PAGES]) == {}
    assert "there is no dictionary 'nowhere'" in link.problem


def test_a_selection_that_the_prompt_or_the_model_lacks_is_left_out(workspace: Workspace) -> None:
    question = {"clean": "When Mary gave a drink to", "corrupted": "", "answer": " Mary", "contrast": " John"}
    asked = workspace.check(question | {"layer": 1, "query": 5, "key": 6, "how": "resample"})
    assert (asked.values["layer"], asked.values["head"]) == (None, None)
    assert (asked.values["query"], asked.values["key"]) == (5, None)
    assert asked.values["how"] == "zero"
    assert asked.values["colour"] == "zero"
    assert len(asked.tokens) == 6
    assert (asked.corrupted, asked.position) == ((), 5)


def test_the_standard_view_is_every_pages_own(workspace: Workspace) -> None:
    defaults = workspace.defaults()
    fields = [name for page in PAGES for name in own(page.state)]
    assert set(defaults) == {"page", *SHARED, *fields}
    assert len(fields) == len(set(fields)), "two pages share a field"
    assert defaults["depth"] == workspace.model.dims.layers // 2
