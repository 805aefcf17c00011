"""What people type: nodes and options."""

from dataclasses import FrozenInstanceError, dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass as checked

from interp.core.engine import engine
from interp.core.errors import OptionError, SiteError
from interp.core.language_model import LanguageModel
from interp.core.nodes import Node, parse_node
from interp.core.options import Count, NoOptions, parse_options
from interp.core.prompts import Prompts
from interp.core.result import Result
from interp.core.variables import Variable

COUNT = st.integers(0, 200)


@given(layer=COUNT, head=st.none() | COUNT)
def test_nodes_are_read_as_they_are_written(layer, head):
    node = Node("m", layer) if head is None else Node("a", layer, head)
    assert parse_node(str(node)) == parse_node(f"  {node} ") == node


@given(layer=COUNT, feature=st.none() | COUNT, site=st.sampled_from(["z", "resid_pre", "mlp_out"]))
def test_features_are_read_as_they_are_written(layer, feature, site):
    node = Node("f", layer, -1 if feature is None else feature, site)
    assert Node.of(str(node)) == Node.of(f" {node} ") == node
    with pytest.raises(SiteError, match="not a node"):
        parse_node(str(node))


@pytest.mark.parametrize("text", ["f18.z", "f.z.7", "18.z.7", "f18.7", "f18.z.x", "q3", "logits2", ""])
def test_no_node_at_all(text):
    with pytest.raises(SiteError, match="f18.z.7"):
        Node.of(text)


@given(kind=st.sampled_from(["a", "q", "k", "v"]), layer=COUNT, head=COUNT)
def test_senders_and_receivers_are_read_as_they_are_written(kind, layer, head):
    assert Node.of(f"{kind}{layer}.{head}") == Node(kind, layer, head)
    assert Node.of(f"m{layer}") == Node("m", layer)
    assert [str(Node.of(name)) for name in ("embed", "logits")] == ["embed", "logits"]


def test_nodes_as_people_write_them():
    assert parse_node("a23.3") == parse_node("23.3") == Node("a", 23, 3)
    assert parse_node("m4") == Node("m", 4)
    assert str(Node("embed")) == "embed"


@pytest.mark.parametrize("text", ["", "a", "a1", "1", "m1.2", "a1.2.3", "a-1.2", "q1.2", "a1 .2", "M4", "a1m4", "1.²"])
def test_what_is_not_a_node(text):
    with pytest.raises(SiteError, match=r"is not a node; write a head as a23\.3 \(layer\.head\), an MLP as m4"):
        parse_node(text)


@checked(frozen=True)
class Options:
    top: PositiveInt = 5
    how: Literal["zero", "mean"] = "zero"
    layers: tuple[int, ...] = ()
    by_position: bool | None = None


def test_defaults():
    assert parse_options("engine", Options, {}) == Options()
    assert parse_options("engine", NoOptions, {}) == NoOptions()


def test_text_and_values_are_read_alike():
    """The command line and the form give text; the library gives values."""
    text = {"top": "3", "how": "mean", "layers": ["0", "2"], "by_position": "true"}
    values = {"top": 3, "how": "mean", "layers": (0, 2), "by_position": True}
    assert parse_options("engine", Options, text) == parse_options("engine", Options, values) == Options(**values)


def test_options_are_frozen():
    with pytest.raises(FrozenInstanceError):
        parse_options("engine", Options, {}).top = 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"top": 0}, "engine, top = 0: Input should be greater than 0"),
        ({"top": "many"}, "engine, top = 'many': Input should be a valid integer"),
        ({"how": "max"}, "engine, how = 'max': Input should be 'zero' or 'mean'"),
        ({"layers": ["0", "x"]}, "engine, layers.1 = 'x': Input should be a valid integer"),
        ({"tpo": 1}, "engine has no option 'tpo'; it has top, how, layers, by_position"),
    ],
)
def test_what_an_option_cannot_be(values, message):
    with pytest.raises(OptionError, match=f"^{message}") as caught:
        parse_options("engine", Options, values)
    assert "\n" not in str(caught.value)


def test_an_engine_without_options():
    with pytest.raises(OptionError, match="engine has no option 'top'; it has none"):
        parse_options("engine", NoOptions, {"top": 1})


def test_a_plain_dataclass_is_checked_too():
    @dataclass(frozen=True)
    class Plain:
        n: int = 1

    assert parse_options("task", Plain, {"n": "2"}) == Plain(2)
    with pytest.raises(OptionError, match="task, n = 'x'"):
        parse_options("task", Plain, {"n": "x"})


def test_a_table_has_no_option_s_name():
    """Both are flags of the command line: the engine is refused where it is made."""

    @checked(frozen=True)
    class Options:
        runs: Count = 1

    class WithRuns(Result):
        value = Variable("batch", "a number", table="runs")

    def an_engine(model: LanguageModel, prompts: Prompts, options: Options) -> WithRuns:
        """A number.

        Source: nobody.
        """
        raise AssertionError

    an_engine.__annotations__ |= {"options": Options, "return": WithRuns}
    with pytest.raises(TypeError, match="an-engine: 'runs' is an option and a table"):
        engine(an_engine)
