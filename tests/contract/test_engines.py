"""The contract of every registered engine, on a tiny model of every family: nothing to write for a new engine."""

import dataclasses
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pytest
import torch
import xarray as xr
from asking import EVEN, KEPT, QUICK, STREAMS, WEIGHTS_ONLY, pairs_for, some
from configurations import FURTHER
from pydantic import TypeAdapter
from tiny import FAMILIES, MIXTURES

from interp import engines, views
from interp.core.engine import EngineSpec
from interp.core.errors import EngineError, InterpError, OptionError, PromptError, TargetError
from interp.core.prompts import PromptPairs
from interp.core.result import Result
from interp.models import HookedModel

NAMES = tuple(engines.all_engines())


class Case(NamedTuple):
    """An engine, and a model and prompts that it supports."""

    spec: EngineSpec
    model: HookedModel
    pairs: PromptPairs

    def run(self, rows=slice(None)) -> Result:
        return self.spec(self.model, self.pairs[rows], **QUICK.get(self.spec.name, {}))


@pytest.mark.parametrize("name", NAMES)
@some("family", (*FAMILIES, *FURTHER, *MIXTURES, "olmoe", "granitemoe"), always=STREAMS)
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
    before = State.of(case)
    result = case.run()
    before.is_left_after("success")
    is_as_declared(result, case)
    is_the_same_from_its_file(result, tmp_path / "result")
    fails_halfway(case, monkeypatch)
    before.is_left_after("a failure")
    is_the_same_when_run_again(result, case)
    a_batch_of_two_is_two_singles(Case(spec, tiny(family, "float64"), pairs))


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


class State(NamedTuple):
    """What a run must leave as it was: hooks, gradients, evaluation mode, weights and logits."""

    case: Case
    hooks: dict[str, list[int]]
    grad_enabled: bool
    weight_hash: str
    logits: torch.Tensor

    @classmethod
    def of(cls, case: Case) -> "State":
        model = case.model
        logits = model.logits(case.pairs.clean)  # the first run: the bridge places hooks of its own
        return cls(case, hooks(model), torch.is_grad_enabled(), model.weight_hash, logits)

    def is_left_after(self, what: str) -> None:
        model = self.case.model
        assert hooks(model) == self.hooks, what
        assert not any("forward" in block.__dict__ for block in model.bridge.blocks), what
        assert not any(parameter.requires_grad for parameter in model.bridge.parameters()), what
        assert not model.bridge.original_model.training, what
        assert torch.is_grad_enabled() == self.grad_enabled, what
        assert torch.equal(model.logits(self.case.pairs.clean), self.logits), what
        del model.__dict__["_weight_hash"]
        assert model.weight_hash == self.weight_hash, what


def hooks(model: HookedModel) -> dict[str, list[int]]:
    """Every hook on every module: the bridge has some of its own."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {name: [key for kind in kinds for key in getattr(m, kind)] for name, m in model.bridge.named_modules()}


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


def is_the_same_when_run_again(result: Result, case: Case) -> None:
    """Same seed, same numbers."""
    close(case.run().data, result.data, 0)


def a_batch_of_two_is_two_singles(case: Case) -> None:
    """Or, of a result over all prompts, that a prompt given twice has the means of the prompt."""
    together = case.run().data
    if "batch" not in together.dims:
        once, twice = case.run([0]).data, case.run([0, 0]).data
        # A shuffled control is another for every prompt, and a window has a place of its own.
        if "arrangement" in once.dims:
            once, twice = (data.sel(arrangement="as read").drop_dims("window") for data in (once, twice))
        # One prompt has no interval, two do.
        close(*(data.drop_dims("bound", errors="ignore") for data in (twice, once)), 1e-7)
        return
    for row in range(2):
        alone = case.run([row]).data
        width = alone.sizes.get("pos", alone.sizes.get("key_pos", case.pairs[[row]].clean.width))
        close(trimmed(together.isel(batch=[row]), width), alone, 1e-7)


def close(left: xr.Dataset, right: xr.Dataset, tolerance: float) -> None:
    for name, array in left.data_vars.items():
        other = right[name]
        assert array.dims == other.dims
        if array.dtype.kind == "f":
            np.testing.assert_allclose(
                array.values, other.values, atol=tolerance, rtol=tolerance, equal_nan=True, err_msg=str(name)
            )
        else:
            assert (array.values == other.values).all(), name


def trimmed(data: xr.Dataset, width: int) -> xr.Dataset:
    """Without the padding that a longer prompt in the batch had caused."""
    return data.isel({axis: slice(width) for axis in ("pos", "query_pos", "key_pos") if axis in data.dims})


@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_one_clear_line(name, tiny):
    spec, model = engines.find(name), tiny("llama")
    pairs = pairs_for(model, "llama")

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
