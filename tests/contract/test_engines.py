"""The contract of every registered engine, on a tiny model of every family: nothing to write for a new engine."""

import dataclasses
from contextlib import suppress
from itertools import product
from typing import NamedTuple

import pytest
from asking import KEPT, STREAMS, WEIGHTS_ONLY, family_for, pairs_for, some
from configurations import FURTHER
from pydantic import TypeAdapter
from tiny import FAMILIES, MIXTURES

from interp import engines, views
from interp.checks.contract import EVEN, QUICK, State, batch_and_singles, distance
from interp.core.engine import EngineSpec
from interp.core.errors import EngineError, InterpError, OptionError, PromptError, TargetError
from interp.core.prompts import PromptPairs
from interp.core.result import Result
from interp.models import HookedModel

NAMES = tuple(engines.all_engines())
EVERY_FAMILY = (*FAMILIES, *FURTHER, *MIXTURES, "olmoe", "granitemoe")


class Case(NamedTuple):
    """An engine, and a model and prompts that it supports."""

    spec: EngineSpec
    model: HookedModel
    pairs: PromptPairs

    def run(self, rows=slice(None)) -> Result:
        return self.spec(self.model, self.pairs[rows], **QUICK.get(self.spec.name, {}))


def in_turn():
    """Every engine on the first stream, and on one of the others in turn."""
    first, *others = STREAMS
    return [pair for number, name in enumerate(NAMES) for pair in ((name, first), (name, others[number % len(others)]))]


@some("name, family", product(NAMES, EVERY_FAMILY), always=in_turn())
def test_contract(name, family, tiny, tmp_path, monkeypatch):
    """Every property by name, or a refusal in one line."""
    spec, model = engines.find(name), tiny(family)
    pairs = pairs_for(model, family, even=name in EVEN)
    obstacle = spec.obstacle(model)
    if obstacle is not None:
        assert "\n" not in obstacle
        with pytest.raises(EngineError, match="does not support"):
            spec(model, pairs)
        pytest.skip(obstacle)
    case = Case(spec, model, pairs)
    before, weight_hash = State.of(model, pairs.clean), model.weight_hash
    result = case.run()
    leaves_all_as_it_was(before, model, weight_hash)
    is_as_declared(result, case)
    is_the_same_from_its_file(result, tmp_path / "result")
    fails_halfway(case, monkeypatch)
    leaves_all_as_it_was(before, model, weight_hash)
    assert distance(case.run().data, result.data) == 0  # same seed, same numbers
    for together, alone in batch_and_singles(spec, tiny(family, "float64"), pairs):
        assert distance(together, alone) < 1e-7


def is_as_declared(result: Result, case: Case) -> None:
    """Its kind, where it comes from, and that it can be printed and drawn."""
    assert type(result) is case.spec.result
    origin = result.provenance
    assert (origin.engine, origin.model) == (case.spec.name, case.model.name)
    assert origin.weight_hash == case.model.weight_hash
    assert origin.prompt_hash
    assert origin.versions["interp"]
    assert result.measured
    assert "\n" not in result.measured
    assert len(result.to_frame())
    assert views.figure(result).data


def is_the_same_from_its_file(result: Result, path) -> None:
    loaded, origin = Result.load(result.save(path)), result.provenance
    assert type(loaded) is type(result)
    assert loaded.data.identical(result.data)
    # JSON knows lists, not tuples.
    assert {**dataclasses.asdict(loaded.provenance), "options": None} == {**dataclasses.asdict(origin), "options": None}


def leaves_all_as_it_was(before: State, model: HookedModel, weight_hash: str) -> None:
    """Hooks, gradients, evaluation mode, logits and weights."""
    assert not list(before.changes())
    del model.__dict__["_weight_hash"]
    assert model.weight_hash == weight_hash


def fails_halfway(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last layer raises; what an engine raises is that, unless it runs no layer."""

    class Broken(Exception):
        pass

    def fail(*args, **kwargs):
        raise Broken

    with monkeypatch.context() as patch:
        patch.setattr(type(case.model.bridge.blocks[-1]), "forward", fail)
        with suppress(Broken) if case.spec.name in (*WEIGHTS_ONLY, *KEPT) else pytest.raises(Broken):
            case.run()


@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_one_clear_line(name, tiny):
    spec = engines.find(name)
    family = family_for(name, tiny)
    model = tiny(family)
    pairs = pairs_for(model, family)

    def refused(kind: type[InterpError], *args, **kwargs) -> str:
        with pytest.raises(kind) as caught:
            spec(model, *args, **kwargs)
        message = str(caught.value)
        assert "\n" not in message
        return message

    assert "empty" in refused(PromptError, "   ")
    assert "exceeds the context of 64" in refused(PromptError, " to" * 70)
    assert "has no option 'nonsense'" in refused(OptionError, pairs, nonsense=1)
    if spec.asks != "nothing":
        assert "tokens long; give a single token" in refused(
            TargetError, "The keys", target=" Mary and John", contrast=" John"
        )
        assert "answer" in refused(TargetError, "The keys", contrast=" John")
    if spec.asks == "required":
        assert "give a target" in refused(TargetError, "The keys")
    if spec.pairs != "none":
        assert "differ in length" in refused(PromptError, "The keys", corrupted="The keys to the cabinet", target=" is")


@pytest.mark.parametrize("name", NAMES)
def test_documented(name):
    """A source, a summary, and a docstring that gives unit and source."""
    spec = engines.find(name)
    assert spec.summary
    assert spec.source
    assert "Unit:" in (spec.__doc__ or "")
    for option, schema in TypeAdapter(spec.options).json_schema().get("properties", {}).items():
        assert schema.get("description"), f"{option} has no description"


@pytest.mark.parametrize("name", NAMES)
def test_no_table_has_the_name_of_an_option(name):
    """Both are flags of the command line."""
    spec = engines.find(name)
    options = {field.name.replace("_", "-") for field in dataclasses.fields(spec.options)}
    assert not options & set(spec.result.tables)
