"""No engine hands out numbers that are not finite, whatever its model has become."""

from functools import reduce
from operator import and_

import numpy as np
import pytest
from asking import pairs_for
from making import one_of

import interp
from interp import engines
from interp.checks.contract import EVEN, QUICK
from interp.core.errors import EngineError, InterpError
from interp.core.finite import fault
from interp.core.result import Result

LABELS = ("token", "query_token", "key_token")
POISONS = (float("nan"), float("inf"), 1e38)


@pytest.mark.parametrize("name", engines.all_engines())
def test_one_weight_that_was_poisoned_after_loading(name, checkpoint, tiny):
    """One line, or a result whose numbers are finite wherever its kind says so."""
    tiny("llama")  # brings the dictionary
    spec, model = engines.find(name), interp.load(str(checkpoint("llama")))
    pairs, weight = pairs_for(model, "llama", even=name in EVEN), poisoned(model)
    for poison in POISONS:
        weight[5] = poison
        try:
            result = spec(model, pairs, **QUICK.get(name, {}))
        except InterpError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017
            continue
        for variable, array in result.data.data_vars.items():
            if array.dtype.kind == "f" and "NaN" not in result.variables[str(variable)].meaning:
                labels = [array.coords[label] for label in LABELS if label in array.coords]
                there = array.where(reduce(and_, (label != "" for label in labels)), 0) if labels else array
                assert np.isfinite(there).all(), variable


def poisoned(model):
    """A row of numbers of a weight of the model's MLPs, to be replaced."""
    weights = dict(model.bridge.original_model.named_parameters())
    return next(weight.data.view(-1) for name, weight in weights.items() if "down_proj" in name)


def test_the_engine_the_value_and_the_weight_are_named(checkpoint):
    model = interp.load(str(checkpoint("llama")))
    poisoned(model)[5] = float("nan")
    said = r"logit-lens on .*: .* is nan; the largest weight is nan, in .*down_proj"
    with pytest.raises(EngineError, match=said) as caught:
        interp.readout.logit_lens(model, "When Mary and John went")
    assert "\n" not in str(caught.value)


def finite(kind: str) -> Result:
    result = one_of(kind)
    numbers = {name: array.fillna(0).clip(-9, 9) for name, array in result.data.items() if array.dtype.kind == "f"}
    return type(result)(result.data.assign(numbers))


def changed(result: Result, name: str, value: float) -> Result:
    data = result.data.copy(deep=True)
    data[name].values.reshape(-1)[0] = value
    return type(result)(data, result.provenance)


def test_where_nan_is_allowed():
    """By what the variable means; an infinity never."""
    effects, scores = finite("Effects"), finite("HeadScores")
    assert fault(effects) == fault(scores) == ""
    assert fault(changed(effects, "effect", float("nan"))).endswith("is nan")
    assert fault(changed(scores, "induction", float("nan"))) == ""
    assert fault(changed(scores, "induction", float("inf"))) == "induction at batch 0, layer 0, head 0 is inf"
