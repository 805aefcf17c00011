"""What the Circuit page looks at."""

import json
from dataclasses import replace
from typing import Annotated, Any, NamedTuple, Self

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from interp import circuits
from interp.core.engine import EngineSpec
from interp.kinds import Circuit, FoundCircuit
from interp.models.hooked import HookedModel
from interp.models.writes import graph_of
from interp.tasks import TASKS
from interp_dashboard.state import QUESTION, Choice, Count, Listed, Undoable, View, below, one_of, suits

FINDERS = ("eap", "eap-ig", "flow-routes", "cdt-circuit", "acdc")
CIRCUITS: dict[str, EngineSpec] = {spec.name: spec for spec in circuits.ENGINES if spec.name in FINDERS}
SEARCHES = tuple(name for name, spec in CIRCUITS.items() if issubclass(spec.result, FoundCircuit))
LAYOUTS = {"head": "layer × head", "position": "layer × position"}
EXTRACTIONS = {
    "top": "strongest edges",
    "greedy": "greedy, from the answer",
    "ilp": "best connected circuit (ILP)",
}
TASK = "task "
KEPT = "kept"
OTHERS = (
    {"": "nothing", KEPT: "the kept circuit"}
    | {name: name for name in CIRCUITS}
    | {f"{TASK}{task.name}": f"{task.name} prompts" for task in TASKS}
)
DEFINING = (*QUESTION, "circuit", "edges", "extraction")  # the fields that say which circuit it is
TRUTHS = {"": "scores", "static": "against the static truth", "effective": "against the effective truth"}
FOLDED = "folded"  # ends a group that is drawn as one node
NAMED = 40  # characters of the prompt in a circuit's name


def is_part(model: HookedModel, text: str) -> bool:
    """Whether `text` is a sender, or an edge written as `a9.6>q10.1`."""
    graph = graph_of(model)
    sender, arrow, receiver = text.partition(">")
    if sender not in graph.senders:
        return False
    return not arrow or (receiver in graph.receivers and graph.present[graph.sender(sender), graph.receiver(receiver)])


class Group(NamedTuple):
    """A named group of nodes; folded, it is drawn as one node."""

    name: str
    nodes: tuple[str, ...]
    folded: bool

    @classmethod
    def of(cls, text: str) -> Self:
        """What is written as `movers:a9.6+a9.9`, or where it is folded as `movers:a9.6+a9.9:folded`."""
        name, nodes, end = (*text.split(":", 2), "", "")[:3]
        return cls(name, tuple(nodes.split("+")), end == FOLDED)


def is_group(model: HookedModel, text: str) -> bool:
    """Whether `text` is a named group of nodes."""
    names, group = (*graph_of(model).senders, "logits"), Group.of(text)
    canonical = text in (plain := f"{group.name}:{'+'.join(group.nodes)}", f"{plain}:{FOLDED}")
    return bool(group.name.strip()) and canonical and all(node in names for node in group.nodes)


def _defines_a_circuit(text: str) -> str:
    """A check, whoever gives it: a JSON list of the fields in `DEFINING`, or nothing."""
    try:
        if text:
            CircuitView().defined_by(text)
    except (ValueError, TypeError):
        raise ValueError("what is kept is not a circuit") from None
    return text


@dataclass(frozen=True)
class CircuitView(View):
    """What finds the circuit, how many of its edges are kept, and what is cut, grouped, picked and compared.

    `cuts` are edges (`a9.6>q10.1`) and nodes, `groups` named supernodes (`movers:a9.6+a9.9`, with `:folded`
    where they are drawn as one node). `zoom` is that of the drawing in per cent. `picked` is an MLP or an
    end of the model whose edges are listed; where it is empty, those of the selected head. `versus` is what else the
    circuit is compared with: another way of finding it, a task's prompts (`task ioi`), or what `kept` says. `truth` is
    which edges of the true circuit it is judged by; a model whose circuit nobody knows has none.
    """

    circuit: Annotated[str, Choice({name: name for name in CIRCUITS})] = "eap-ig"
    edges: Annotated[Count, below(lambda model: graph_of(model).edge_count + 1)] = 1000
    extraction: Annotated[str, Choice(EXTRACTIONS)] = "top"
    layout: Annotated[str, Choice(LAYOUTS)] = "head"
    truth: Annotated[str, Choice(TRUTHS)] = ""
    zoom: Annotated[int, Field(ge=25, le=400)] = 100
    cuts: Annotated[tuple[str, ...], Listed(suits(is_part, "is not an edge or a node")), Undoable()] = ()
    groups: Annotated[tuple[str, ...], Listed(suits(is_group, "is not a group of nodes")), Undoable()] = ()
    picked: Annotated[str, one_of(lambda model: (*graph_of(model).senders, "logits"))] = ""
    versus: Annotated[str, Choice(OTHERS, {KEPT: "kept"}), Undoable()] = ""
    kept: Annotated[str, AfterValidator(_defines_a_circuit), Undoable()] = ""

    def defined_by(self, text: str) -> "CircuitView":
        """The view of a kept circuit. Raises: ValueError, TypeError for another text."""
        return replace(self, **dict(zip(DEFINING, json.loads(text), strict=True)))

    @property
    def other(self) -> "CircuitView | None":
        """The view of the circuit that this one is compared with; None where there is none."""
        if self.versus == KEPT:
            return self.defined_by(self.kept) if self.kept else None
        if not self.versus or self.versus.startswith(TASK):
            return self if self.versus else None
        return replace(self, circuit=self.versus)

    @property
    def other_name(self) -> str:
        """What the other circuit is called."""
        if self.versus != KEPT:
            return f"{self.versus.removeprefix(TASK)} prompts" if self.versus.startswith(TASK) else self.versus
        saved = self.defined_by(self.kept)
        prompt = saved.clean if len(saved.clean) <= NAMED else f"{saved.clean[: NAMED - 1]}…"
        return f"{saved.circuit} on “{prompt}”"

    @property
    def picked_mlp(self) -> int | None:
        """The layer of the MLP that is picked."""
        return int(self.picked[1:]) if self.picked.startswith("m") else None

    @property
    def how(self) -> str:
        """What a cut edge carries: the corrupted prompt's value, or without one each sender's mean over the prompt."""
        return "resample" if self.corrupted else "mean"

    @property
    def size(self) -> dict[str, Any]:
        """Which part of what was found is the circuit, as arguments of `Circuit.of`: all that a search has found."""
        if self.circuit in SEARCHES:
            return {}
        return {"edges": self.edges} | ({} if self.extraction == "top" else {"extraction": self.extraction})


def cut_arguments(cuts: tuple[str, ...]) -> dict[str, list[Any]]:
    """Cuts as arguments of `Circuit.without`: nodes, and edges, which are written as `a9.6>q10.1`."""
    edges = [tuple(cut.split(">")) for cut in cuts if ">" in cut]
    arguments = {"nodes": [cut for cut in cuts if ">" not in cut], "edges": edges}
    return {name: parts for name, parts in arguments.items() if parts}


def without_cuts(circuit: Circuit, cuts: tuple[str, ...]) -> Circuit:
    """The circuit without the edges and nodes that a view cuts."""
    return circuit.without(**cut_arguments(cuts))
