"""The view state and its form in the address bar."""

from hypothesis import given
from hypothesis import strategies as st
from interp_dashboard.circuits import CIRCUITS
from interp_dashboard.methods import METHODS
from interp_dashboard.pages import PAGES
from interp_dashboard.slots import SLOTS
from interp_dashboard.state import COLOURS, EXTRACTIONS, HOWS, LAYOUTS, LEDGERS, Known, View, decode, within

from interp.core.graph import ComputationGraph

NAMES = tuple(page.name for page in PAGES)
GRAPH = ComputationGraph(layers=30, heads=9, kv_heads=3)
KNOWN = Known(NAMES, tuple(METHODS), tuple(CIRCUITS), ("ioi",), GRAPH)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
places = st.none() | st.integers(0, 2000)


@given(
    st.builds(
        View,
        page=st.sampled_from(NAMES),
        clean=texts,
        corrupted=texts,
        answer=texts,
        contrast=texts,
        query=places,
        key=places,
        nodes=st.lists(st.sampled_from(["a1.2", "a29.8", "m0", "m29"]), unique=True).map(tuple),
        how=st.sampled_from(HOWS),
        colour=st.sampled_from(list(COLOURS)),
        methods=st.lists(st.sampled_from(list(METHODS)), unique=True).map(tuple),
        method=st.sampled_from(["", *METHODS]),
        ledger=st.sampled_from(list(LEDGERS)),
        circuit=st.sampled_from(list(CIRCUITS)),
        edges=st.integers(1, 70_651),
        extraction=st.sampled_from(list(EXTRACTIONS)),
        layout=st.sampled_from(list(LAYOUTS)),
        cuts=st.lists(st.sampled_from(["a9.6>q10.1", "embed", "m3>logits", "a0.0"]), unique=True).map(tuple),
        groups=st.lists(st.sampled_from(["movers:a9.6+a9.7", "late & <b>:m29", "ends:embed+logits"]), unique=True).map(
            tuple
        ),
        versus=st.sampled_from(["", "task ioi", *CIRCUITS]),
    )
)
def test_a_link_reopens_the_same_view(view: View) -> None:
    assert decode("?" + view.encode(), KNOWN) == (view, "")
    assert View.from_dict(view.to_dict()) == view


def test_the_standard_view_needs_no_link() -> None:
    assert View().encode() == ""


@given(st.text(max_size=80))
def test_no_link_breaks_it(search: str) -> None:
    view, problem = decode(search, KNOWN)
    assert view.page in NAMES
    assert "\n" not in problem


def test_what_cannot_be_used_is_named_and_the_rest_kept() -> None:
    view, problem = decode("?page=zz&layer=3&head=2&nodes=a1.1,a99.0,x&how=mean", KNOWN)
    assert view == View(layer=3, head=2, nodes=("a1.1",), how="mean")
    assert "no page 'zz'" in problem
    assert "2 more" in problem


def test_a_method_that_does_not_exist_is_named_and_the_others_kept() -> None:
    view, problem = decode("?page=attribution&methods=rollout,<b>,attnlrp&method=x&ledger=y", KNOWN)
    assert view == View(page="attribution", methods=("rollout", "attnlrp"))
    assert "'<b>' is not a method" in problem
    assert "2 more" in problem


def test_a_head_needs_both_its_numbers() -> None:
    view, _ = decode("?layer=3&head=77", KNOWN)
    assert (view.layer, view.head) == (None, None)


def test_positions_past_the_prompt_are_dropped() -> None:
    view = within(View(query=13, key=14), 14)
    assert (view.query, view.key) == (13, None)


def test_every_page_asks_for_slots_that_exist() -> None:
    for page in PAGES:
        for colour in COLOURS:
            assert set(page.slots(View(colour=colour, methods=tuple(METHODS)))) <= set(SLOTS)


def test_a_slots_key_changes_with_what_it_shows_and_with_nothing_else() -> None:
    view = View(layer=1, head=1)
    pattern, lens = SLOTS["pattern"], SLOTS["lens"]
    assert pattern.key(view) != pattern.key(View(layer=1, head=2))
    assert lens.key(view) == lens.key(View(layer=5, head=5, nodes=("m1",), page="lens"))
    assert SLOTS["ablation"].key(view) is None


def test_the_insides_are_those_of_the_chosen_method() -> None:
    two = View(methods=("attnlrp", "rollout"))
    insides, deletion = SLOTS["insides"], SLOTS["deletion"]
    for slot in (insides, deletion):
        assert slot.key(two) == slot.key(View(methods=("attnlrp",), method="gim"))  # not chosen: the first
        assert slot.key(two) != slot.key(View(methods=("attnlrp", "rollout"), method="rollout"))
        assert slot.key(View()) is None
    assert SLOTS["relevance rollout"].key(two) == SLOTS["relevance rollout"].key(View(corrupted="", ledger="layer"))


def test_edges_and_groups_that_the_model_lacks_are_named_and_the_others_kept() -> None:
    """An edge has to run forwards; a group needs a name and nodes."""
    given = "?cuts=a9.6>q10.1,a9.6>q9.1,zz,m2>m3&groups=:a1.1,x:a99.0,good:a1.1&edges=70652"
    view, problem = decode(given, KNOWN)
    assert view == View(cuts=("a9.6>q10.1", "m2>m3"), groups=("good:a1.1",))
    assert "no edges '70652'" in problem
    assert "4 more" in problem
