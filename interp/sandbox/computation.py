"""Computation graphs of exact tasks: which steps a model gets wrong and why, and which inputs tell of which outputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interp.core.errors import ResultError
from interp.kinds import ComputationErrors, InformationGain
from interp.sandbox.reading import result_of

CORRECT, LOCAL, PROPAGATED, BOTH, RESTORED = (
    "fully correct",
    "local",
    "propagated",
    "local, of wrong parents",
    "restored",
)
TYPES = (CORRECT, LOCAL, PROPAGATED, BOTH, RESTORED)


@dataclass(frozen=True)
class Step:
    """A node that is computed from others."""

    operation: Callable[..., Any]
    parents: tuple[str, ...]


@dataclass(frozen=True)
class ComputationGraph:
    """Named inputs, and steps in an order in which each comes after its parents."""

    inputs: tuple[str, ...]
    steps: Mapping[str, Step]

    def evaluate(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The value of every node, given the inputs."""
        known = {name: values[name] for name in self.inputs}
        for name, step in self.steps.items():
            known[name] = step.operation(*(known[parent] for parent in step.parents))
        return known

    @property
    def depths(self) -> dict[str, int]:
        """The longest way from an input to each node."""
        depths = dict.fromkeys(self.inputs, 0)
        for name, step in self.steps.items():
            depths[name] = 1 + max((depths[parent] for parent in step.parents), default=0)
        return depths

    def errors(self, values: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, str]:
        """What is right or wrong with each step of what a model `said`, given the inputs.

        Fully correct: right, as are all before it. Local: wrong, though its parents are right. Propagated: wrong, but
        what follows from its wrong parents. Restored: right, though something before it is wrong.
        Source: Dziri et al. 2023 (2305.18654), section 3.2.2.
        Differs: a wrong step that does not follow from its wrong parents either is a type of its own.
        """
        true = self.evaluate(values)
        said = {**said, **{name: values[name] for name in self.inputs}}
        sound, types = dict.fromkeys(self.inputs, True), {}
        for name, step in self.steps.items():
            before = all(sound[parent] for parent in step.parents)
            follows = said[name] == step.operation(*(said[parent] for parent in step.parents))
            if said[name] == true[name]:
                types[name] = CORRECT if before and follows else RESTORED
            elif all(said[parent] == true[parent] for parent in step.parents):
                types[name] = LOCAL
            else:
                types[name] = PROPAGATED if follows else BOTH
            sound[name] = types[name] == CORRECT
        return types


def addition(digits: int) -> ComputationGraph:
    """Adding two numbers digit by digit, the lowest first: inputs `a0`, `b0`; steps `carry0`, and answers `sum0`."""
    steps: dict[str, Step] = {}
    for at in range(digits):
        pair, carry = (f"a{at}", f"b{at}"), (f"carry{at - 1}",) if at else ()
        steps[f"sum{at}"] = Step(lambda *values: sum(values) % 10, pair + carry)
        steps[f"carry{at}"] = Step(lambda *values: sum(values) // 10, pair + carry)
    steps[f"sum{digits}"] = Step(lambda carry: carry, (f"carry{digits - 1}",))
    return ComputationGraph(tuple(f"{name}{at}" for at in range(digits) for name in "ab"), steps)


def multiplication(digits: int) -> ComputationGraph:
    """Multiplying by one digit `b`: inputs `a0`, `b`; products `product0`, carries `carry0`, and answers `digit0`."""
    steps: dict[str, Step] = {}
    for at in range(digits):
        steps[f"product{at}"] = Step(lambda a, b: a * b, (f"a{at}", "b"))
        both = (f"product{at}", *((f"carry{at - 1}",) if at else ()))
        steps[f"digit{at}"] = Step(lambda *values: sum(values) % 10, both)
        steps[f"carry{at}"] = Step(lambda *values: sum(values) // 10, both)
    steps[f"digit{digits}"] = Step(lambda carry: carry, (f"carry{digits - 1}",))
    return ComputationGraph((*(f"a{at}" for at in range(digits)), "b"), steps)


def computation_errors(
    graph: ComputationGraph, items: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> ComputationErrors:
    """The share of each type of error by depth, over items of inputs and what a model said of every step.

    Source: Dziri et al. 2023 (2305.18654), figure 7.
    Raises: ResultError without items.
    """
    if not items:
        raise ResultError("there are no items to find errors in; give at least one")
    depths = graph.depths
    deepest = max(depths.values())
    counts = np.zeros((deepest, len(TYPES)))
    for values, said in items:
        for name, kind in graph.errors(values, said).items():
            counts[depths[name] - 1, TYPES.index(kind)] += 1
    nodes = counts.sum(-1)
    return result_of(
        ComputationErrors,
        "computation-errors",
        {"share": counts / nodes[:, None], "nodes": nodes},
        measured=f"steps of {len(items):,} computations",
        layer=np.arange(1, deepest + 1),
        predicate=list(TYPES),
    )


def information_gain(inputs: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]) -> InformationGain:
    """The relative information gain (H(Y) − H(Y|X)) / H(Y) of every part of the output, given each part of the input.

    A part is an array with a value, or a row of values, for each item.
    Source: Dziri et al. 2023 (2305.18654), section 3.2.1.
    """
    gain = np.empty((len(inputs), len(outputs)))
    for column, output in enumerate(outputs.values()):
        entropy = _entropy(output)
        for row, given in enumerate(inputs.values()):
            both = np.concatenate([_rows(given), _rows(output)], -1)
            conditional = _entropy(both) - _entropy(given)
            gain[row, column] = (entropy - conditional) / entropy if entropy > 0 else np.nan
    number = len(next(iter(outputs.values())))
    return result_of(
        InformationGain,
        "information-gain",
        {"gain": gain},
        measured=f"counts of {number:,} items",
        part=list(inputs),
        target=list(outputs),
    )


def _rows(values: np.ndarray) -> np.ndarray:
    return np.asarray(values).reshape(len(values), -1)


def _entropy(values: np.ndarray) -> float:
    """The entropy of the empirical distribution, in nats."""
    _, counts = np.unique(_rows(values), axis=0, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())
