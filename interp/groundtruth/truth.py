"""The models of known truth, by name, and what is known of each."""

import json
from pathlib import Path
from typing import Any, Literal

from interp.core.edges import CircuitEdge, in_order
from interp.core.errors import ModelError, OptionError
from interp.core.graph import ComputationGraph
from interp.groundtruth.transformer_programs.emitting import Source
from interp.kinds import Circuit
from interp.models import HookedModel
from interp.models import load as _load
from interp.models.sources import compiled_models, known_models, resolve
from interp.tasks.program import program_of
from interp.tasks.programs import PROGRAMS, Program

Edges = Literal["static", "effective"]


def names(family: str = "") -> tuple[str, ...]:
    """The models of known truth, or those of one family: `rasp/reverse`, …"""
    return tuple(name for name in known_models() if name.startswith(f"{family}/" if family else ""))


def load(name: str, **settings: Any) -> HookedModel:
    """A model of known truth; `reverse` alone is `rasp/reverse`; `settings` as `interp.load` takes them.

    Raises: ModelError if there is none.
    """
    return _load(_full(name), **settings)


def program(of: str | HookedModel) -> Program:
    """What a model's program computes, as a plain function. Raises: ModelError if the model runs none."""
    program = program_of(json.loads((folder_of(of) / "config.json").read_text()).get("program"))
    if program is None:
        raise ModelError(f"{of if isinstance(of, str) else of.name} runs none of the programs {', '.join(PROGRAMS)}")
    return program


def circuit(of: str | HookedModel, edges: Edges = "static") -> Circuit:
    """The true circuit, as derived when the model was made: by the compiler's bases for a compiled one.

    "static": every edge whose sender writes an axis of the stream that its receiver reads; no other edge has any
    effect, whatever it carries. "effective": those of them that change a logit when they alone are resampled: an edge
    that carries a constant (`one`, BOS), a position, or what follows from the length changes nothing where both prompts
    have the same. This is the truth for methods that resample.
    Raises: ModelError if there is no such model, or its truth is not known; OptionError for other edges.
    """
    if edges not in ("static", "effective"):
        raise OptionError(f"edges = {edges!r}; choose static or effective")
    truth, config = _truth(of), json.loads((folder_of(of) / "config.json").read_text())
    heads = config["num_attention_heads"]
    graph = ComputationGraph(config["num_hidden_layers"], heads, heads)
    ends = (edge.split() for edge in truth[edges])
    return Circuit(
        graph,
        in_order(graph, (CircuitEdge(sender, receiver) for sender, receiver in ends)),
        model=_full(of) if isinstance(of, str) else of.name,
        method=f"truth, {edges}",
    )


def known(of: str | HookedModel) -> frozenset[str]:
    """What is known of a model: `static` and `effective` edges; of a compiled one `axes` and `selectors`, too."""
    path = _folder_of_known(of) / "truth.json"
    return frozenset(json.loads(path.read_text())) if path.is_file() else frozenset()


def axes(of: str | HookedModel) -> tuple[str, ...]:
    """What each axis of the stream holds, `variable=value`, or the variable alone where it is a number.

    Raises: ModelError if there is no such model, or its truth is not known.
    """
    return tuple(_told(of, "axes"))


def selectors(of: str | HookedModel) -> dict[str, dict[str, Any]]:
    """What each head of a compiled model selects, by `a{layer}.{head}`: the `name` of the selector, the variables of
    its `keys` and `queries`, whether the keys selected are counted (`counts`), and for each value of the query those of
    the keys that it selects (`selected`).

    Raises: ModelError if there is no such model, or its truth does not say.
    """
    return _told(of, "selectors")


def source(of: str | HookedModel) -> Source:
    """A Transformer Program as Python: its text, and which head (`a0.1`) or MLP (`m0`) computes what a line says.

    The text is for reading: nothing here runs it.
    Raises: ModelError if there is no such model, or it is no Transformer Program.
    """
    path = folder_of(of) / "program.py"
    if not path.is_file():
        raise ModelError(
            f"{of if isinstance(of, str) else of.name} was not decompiled; these were: {', '.join(names('programs'))}"
        )
    lines = _truth(of)["lines"]
    return Source(path.read_text(encoding="utf-8"), {int(line): sender for line, sender in lines.items()})


def _told(of: str | HookedModel, what: str) -> Any:
    truth = _truth(of)
    if what not in truth:
        raise ModelError(f"{of if isinstance(of, str) else of.name} is not compiled, so that it has no {what}")
    return truth[what]


def _truth(of: str | HookedModel) -> dict[str, Any]:
    path = folder_of(of) / "truth.json"
    if not path.is_file():
        raise ModelError(
            f"nobody knows the circuit of {of if isinstance(of, str) else of.name}; it is known of {', '.join(names())}"
        )
    return json.loads(path.read_text())


def _folder_of_known(of: str | HookedModel) -> Path:
    """The folder, without reading a GGUF file or asking the cache of Hugging Face."""
    name = _full(of) if isinstance(of, str) else of.name
    return (known_models() | compiled_models()).get(name) or Path(name)


def folder_of(of: str | HookedModel) -> Path:
    """Where a model's files lie. Raises: ModelError if there is no such model."""
    return Path(resolve(_full(of) if isinstance(of, str) else of.name))


def _full(name: str) -> str:
    return f"rasp/{name}" if f"rasp/{name}" in known_models() else name
