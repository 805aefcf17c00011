"""What the Circuit page looks at."""

from typing import Annotated

from pydantic.dataclasses import dataclass

from interp import circuits
from interp.core.engine import EngineSpec
from interp.models.hooked import HookedModel
from interp.models.writes import graph_of
from interp.tasks import TASKS
from interp_dashboard.state import Choice, Count, Listed, View, below, suits

FINDERS = ("eap", "eap-ig", "flow-routes", "cdt-circuit", "acdc")
CIRCUITS: dict[str, EngineSpec] = {spec.name: spec for spec in circuits.ENGINES if spec.name in FINDERS}
LAYOUTS = {"head": "layer × head", "position": "layer × position"}
EXTRACTIONS = {"top": "strongest edges", "greedy": "grown from the answer"}
OTHERS = {"": "nothing"} | {name: name for name in CIRCUITS} | {f"task {t.name}": f"{t.name} prompts" for t in TASKS}


def is_part(model: HookedModel, text: str) -> bool:
    """Whether `text` is a sender, or an edge written as `a9.6>q10.1`."""
    graph = graph_of(model)
    sender, arrow, receiver = text.partition(">")
    if sender not in graph.senders:
        return False
    return not arrow or (receiver in graph.receivers and graph.present[graph.sender(sender), graph.receiver(receiver)])


def is_group(model: HookedModel, text: str) -> bool:
    """Whether `text` is a named group of nodes, written as `movers:a9.6+a9.9`."""
    graph = graph_of(model)
    name, _, nodes = text.partition(":")
    return bool(name.strip() and nodes) and all(node in (*graph.senders, "logits") for node in nodes.split("+"))


@dataclass(frozen=True)
class CircuitView(View):
    """What finds the circuit, how many of its edges are kept, and what is cut, grouped and compared.

    `cuts` are edges (`a9.6>q10.1`) and nodes, `groups` named supernodes (`movers:a9.6+a9.9`), `versus` what else the
    circuit is compared with: another way of finding it, or a task's prompts (`task ioi`).
    """

    circuit: Annotated[str, Choice({name: name for name in CIRCUITS})] = "eap"
    edges: Annotated[Count, below(lambda model: graph_of(model).edge_count + 1)] = 200
    extraction: Annotated[str, Choice(EXTRACTIONS)] = "top"
    layout: Annotated[str, Choice(LAYOUTS)] = "head"
    cuts: Annotated[tuple[str, ...], Listed(suits(is_part, "is not an edge or a node"))] = ()
    groups: Annotated[tuple[str, ...], Listed(suits(is_group, "is not a group of nodes"))] = ()
    versus: Annotated[str, Choice(OTHERS)] = ""
