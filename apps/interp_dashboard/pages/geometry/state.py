"""What the Geometry page looks at, and what it asks."""

from dataclasses import replace
from typing import Annotated, Any

from pydantic.dataclasses import dataclass

from interp import geometry
from interp.engines import precomputed
from interp.models.hooked import HookedModel
from interp.models.writes import graph_of
from interp_dashboard.asking import Ask, Call, once
from interp_dashboard.state import Choice, Count, View, below, suits

CHANNELS = 400  # of all compositions together, from which each one's strongest are listed
WINDOWS = {"position-context": 64, "linearity": 16, "cka": 16, "positional-variance": 16}  # of the corpus, for a page
LENGTH = 256  # tokens of a window, unless a prompt is longer
SIDES = {"q": "into queries", "k": "into keys", "v": "into values"}
FACTORS = {"0": "cut", "0.5": "halved", "2": "doubled", "-1": "reversed"}


def is_channel(model: HookedModel, text: str) -> bool:
    """Whether `text` is a direction of one head's output into a later head, written as `a17.4>q20.0~0`."""
    if not text:
        return True
    sender, receiver, component = channel_of(text)
    graph = graph_of(model)
    digits = component.isascii() and component.isdigit() and len(component) < 5
    exists = sender in graph.senders and receiver in graph.receivers and sender[0] == "a" and receiver[0] in SIDES
    return exists and digits and bool(graph.present[graph.sender(sender), graph.receiver(receiver)])


def channel_of(text: str) -> tuple[str, str, str]:
    """Sender, receiver and component of a channel."""
    edge, _, component = text.partition("~")
    sender, _, receiver = edge.partition(">")
    return sender, receiver, component


@dataclass(frozen=True)
class Geometry(View):
    """The layer whose parts are drawn, which side of later heads is read, and the channel that is changed.

    `depth` is None for the middle. `channel` is one singular direction of a head's output on its way to a later head,
    which reads it `factor` times.
    """

    depth: Annotated[Count, below(lambda model: model.dims.layers + 1)] | None = None
    composition: Annotated[str, Choice(SIDES)] = "q"
    channel: Annotated[str, suits(is_channel, "is not a channel")] = ""
    factor: Annotated[str, Choice(FACTORS)] = "0"


def suit(model: HookedModel, view: Geometry) -> Geometry:
    """The middle of this model, where no layer is chosen."""
    return replace(view, depth=model.dims.layers // 2) if view.depth is None else view


def _parts(model: HookedModel, tokens: int = 0) -> dict[str, Call]:
    """Position parts over the corpus, which come with the package or are in the cache, as an argument of a call.

    The windows are longer than usual where a prompt of so many `tokens` needs it; that waits for a click.
    """
    windows, length = WINDOWS["position-context"], LENGTH
    while length < tokens:
        length *= 2
    arguments, waits = {"windows": windows}, ""
    if length > LENGTH:
        arguments |= {"length": length}
        waits = (
            f"A prompt of {tokens} tokens needs position parts from longer windows than the usual {LENGTH} tokens: "
            f"{windows} runs over {min(length, model.context_length)} tokens, once."
        )
    return {"statistics": Call(geometry.position_parts, arguments, "reading the corpus", once, waits=waits)}


def _split(model: HookedModel, view: Geometry) -> dict[str, Any] | None:
    if view.selected is None:
        return None
    fits = len(view.clean.encode()) < LENGTH  # a token has at least one letter
    return view.prompt | view.selected | _parts(model, 0 if fits else len(model.encode(view.clean)))


def _channel_change(model: HookedModel, view: Geometry) -> dict[str, Any] | None:
    if not view.channel:
        return None
    sender, receiver, component = channel_of(view.channel)
    channel = {"sender": sender, "receiver": receiver, "components": (int(component),)}
    return view.question | channel | {"factor": float(view.factor)}


def _over_windows(name: str, label: str) -> Ask[View]:
    """An engine that reads some number of windows taken from the corpus and no prompt."""
    return Ask(precomputed, lambda model, view: {"engine": name, "windows": WINDOWS[name]}, label, once)


POSITIONS = _over_windows("position-context", "reading the corpus")
SPLIT = Ask(geometry.qk_split, _split, "decomposing attention scores", once)
COMPOSITION = Ask(
    precomputed,
    lambda model, view: {"engine": "head-composition", "top": CHANNELS},
    "computing head composition",
    once,
)
CHANGED = Ask(geometry.channel_ablation, _channel_change, "changing a channel")
LINEARITY = _over_windows("linearity", "fitting linear maps")
SIMILARITY = _over_windows("cka", "comparing layers")
VARIANCE = _over_windows("positional-variance", "measuring what attention adds")
