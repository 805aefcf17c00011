"""The contract of every registered engine, on a tiny model of every family: nothing to write for a new engine."""

import dataclasses
from contextlib import suppress

import numpy as np
import pytest
import torch
import xarray as xr
from asking import EVEN, KEPT, WEIGHTS_ONLY, pairs_for, quick_engine
from pydantic import TypeAdapter
from tiny import FAMILIES

from interp import engines, views
from interp.core.errors import EngineError, InterpError, OptionError, PromptError, TargetError
from interp.core.result import Result

NAMES = tuple(engines.all_engines())
EACH = pytest.mark.parametrize(("name", "family"), [(name, family) for name in NAMES for family in FAMILIES])


def treated(name, tiny, family, dtype="float32"):
    """The engine, a model and prompts that it treats; or skip, when it says in one line why it does not."""
    spec, model = quick_engine(name), tiny(family, dtype)
    pairs = pairs_for(model, family, even=name in EVEN)
    obstacle = spec.obstacle(model)
    if obstacle is not None:
        assert "\n" not in obstacle
        with pytest.raises(EngineError, match="does not support"):
            spec(model, pairs)
        pytest.skip(obstacle)
    return spec, model, pairs


def close(left: xr.Dataset, right: xr.Dataset, tolerance: float) -> None:
    for name, array in left.data_vars.items():
        other = right[name]
        assert array.dims == other.dims
        if array.dtype.kind == "f":
            np.testing.assert_allclose(array.values, other.values, atol=tolerance, rtol=tolerance, equal_nan=True)
        else:
            assert (array.values == other.values).all(), name


def trimmed(data: xr.Dataset, width: int) -> xr.Dataset:
    """Without the padding that a longer prompt in the batch had caused."""
    return data.isel({axis: slice(width) for axis in ("pos", "query_pos", "key_pos") if axis in data.dims})


@EACH
def test_kind_provenance_file_and_seed(name, family, tiny, tmp_path):
    """As declared, the same from its file, and the same when run again."""
    spec, model, pairs = treated(name, tiny, family)
    result = spec(model, pairs)
    assert type(result) is spec.result
    origin = result.provenance
    assert (origin.engine, origin.model, origin.weight_hash) == (name, model.name, model.weight_hash)
    assert origin.prompt_hash
    assert origin.versions["interp"]
    assert result.measured
    assert "\n" not in result.measured
    assert len(result.to_frame())
    assert views.figure(result).data
    loaded = Result.load(result.save(tmp_path / "result"))
    assert type(loaded) is type(result)
    assert loaded.data.identical(result.data)
    # JSON knows lists, not tuples.
    assert {**dataclasses.asdict(loaded.provenance), "options": None} == {**dataclasses.asdict(origin), "options": None}
    close(spec(model, pairs).data, result.data, 0)


@EACH
def test_a_batch_of_two_is_two_singles(name, family, tiny):
    spec, model, pairs = treated(name, tiny, family, "float64")
    together = spec(model, pairs)
    if "batch" not in together.data.dims:
        means_of_a_prompt_given_twice_are_its_own(spec, model, pairs)
        return
    for row in range(2):
        alone = spec(model, pairs[[row]])
        width = alone.data.sizes.get("pos", alone.data.sizes.get("key_pos", pairs[[row]].clean.width))
        close(trimmed(together.data.isel(batch=[row]), width), alone.data, 1e-7)


def means_of_a_prompt_given_twice_are_its_own(spec, model, pairs) -> None:
    """What a result over all prompts comes to; one prompt has no interval, two do.

    A shuffled control is another for every prompt, and a window has a place of its own.
    """
    once, twice = (spec(model, pairs[rows]).data for rows in ([0], [0, 0]))
    if "arrangement" in once.dims:
        once, twice = (data.sel(arrangement="as read").drop_dims("window") for data in (once, twice))
    intervals = [str(variable) for variable in once.data_vars if str(variable).endswith(("_low", "_high"))]
    close(twice.drop_vars(intervals), once.drop_vars(intervals), 1e-7)


def hooks(model) -> dict[str, list[int]]:
    """Every hook on every module: the bridge has some of its own."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {name: [key for kind in kinds for key in getattr(m, kind)] for name, m in model.bridge.named_modules()}


@EACH
def test_the_model_is_left_as_it_was(name, family, tiny, monkeypatch):
    """After success, and after a failure in the middle of a forward pass: no hook, no gradient, no training mode."""
    spec, model, pairs = treated(name, tiny, family)
    hash_before, grad_before = model.weight_hash, torch.is_grad_enabled()
    clean, hooks_before = model.logits(pairs.clean), hooks(model)

    def check() -> None:
        assert hooks(model) == hooks_before
        assert not any("forward" in block.__dict__ for block in model.bridge.blocks)
        assert not any(parameter.requires_grad for parameter in model.bridge.parameters())
        assert not model.bridge.original_model.training
        assert torch.is_grad_enabled() == grad_before
        assert torch.equal(model.logits(pairs.clean), clean)

    spec(model, pairs)
    check()

    class Broken(Exception):
        pass

    def fail(*args, **kwargs):
        raise Broken

    with monkeypatch.context() as patch:
        patch.setattr(type(model.bridge.blocks[-1]), "forward", fail)
        with suppress(Broken) if name in (*WEIGHTS_ONLY, *KEPT) else pytest.raises(Broken):
            spec(model, pairs)
    check()
    del model.__dict__["_weight_hash"]
    assert model.weight_hash == hash_before


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
    assert "exceeds the 64" in refused(PromptError, " to" * 70)
    assert "has no option 'nonsense'" in refused(OptionError, pairs, nonsense=1)
    if spec.asks != "nothing":
        assert "tokens; use one" in refused(TargetError, "The keys", target=" Mary and John", contrast=" John")
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
