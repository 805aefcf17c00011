"""Models whose circuit is known: programs in RASP, compiled by tracr into ordinary hooked models.

model = interp.groundtruth.load("reverse")  # or interp.load("rasp/reverse"), everywhere
pairs = interp.tasks.program(model, n=16)
truth = interp.groundtruth.circuit("reverse", "effective")
interp.Circuit.of(interp.circuits.acdc(model, pairs, tau=1e-4)).shared_with(truth)
"""

import json
from typing import Any, Literal

from interp.core.edges import CircuitEdge, in_order
from interp.core.errors import ModelError, OptionError
from interp.core.graph import ComputationGraph
from interp.kinds import Circuit
from interp.models import HookedModel
from interp.models import load as _load
from interp.models.sources import COMPILED_PREFIX, compiled_models
from interp.tasks.programs import PROGRAMS, Program

Edges = Literal["static", "effective"]


def names() -> tuple[str, ...]:
    """The programs."""
    return tuple(name for name in PROGRAMS if COMPILED_PREFIX + name in compiled_models())


def load(name: str, **settings: Any) -> HookedModel:
    """The compiled program `name`; `settings` as `interp.load` takes them. Raises: ModelError if there is none."""
    return _load(COMPILED_PREFIX + _known(name), **settings)


def program(name: str) -> Program:
    """What the program computes, as a plain function. Raises: ModelError if there is none."""
    return PROGRAMS[_known(name)]


def circuit(name: str, edges: Edges = "static") -> Circuit:
    """The true circuit, derived from the bases of the compiler.

    "static": every edge whose sender writes an axis of the stream that its receiver reads; no other edge has any
    effect, whatever it carries. "effective": those of them that change a logit when they alone are resampled: an edge
    that carries a constant (`one`, BOS), a position, or what follows from the length changes nothing where both prompts
    have the same. This is the truth for methods that resample.
    Raises: ModelError if there is no such program; OptionError for other edges.
    """
    if edges not in ("static", "effective"):
        raise OptionError(f"edges = {edges!r}; choose static or effective")
    folder, truth = compiled_models()[COMPILED_PREFIX + _known(name)], _truth(name)
    config = json.loads((folder / "config.json").read_text())
    heads = config["num_attention_heads"]
    graph = ComputationGraph(config["num_hidden_layers"], heads, heads)
    ends = (edge.split() for edge in truth[edges])
    return Circuit(
        graph,
        in_order(graph, (CircuitEdge(sender, receiver) for sender, receiver in ends)),
        model=COMPILED_PREFIX + name,
        method=f"compiler, {edges}",
    )


def axes(of: str | HookedModel) -> tuple[str, ...]:
    """What each axis of the stream holds, `variable=value`, or the variable alone where it is a number.

    Raises: ModelError if there is no such program, or the model is none.
    """
    return tuple(_truth(of if isinstance(of, str) else of.program)["axes"])


def _truth(name: str) -> dict[str, list[str]]:
    return json.loads((compiled_models()[COMPILED_PREFIX + _known(name)] / "truth.json").read_text())


def _known(name: str) -> str:
    name = name.removeprefix(COMPILED_PREFIX)
    if name not in names():
        raise ModelError(f"there is no compiled program {name!r}; choose one of {', '.join(names())}")
    return name


__all__ = ["axes", "circuit", "load", "names", "program"]
