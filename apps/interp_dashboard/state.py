"""The one view state that every page shares, and its form in the address bar."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from interp.core.errors import InterpError
from interp.core.graph import ComputationGraph
from interp.core.nodes import parse_node

HOWS = ("zero", "mean", "resample")
COLOURS = {
    "resample": "effect of resampling",
    "zero": "effect of zeroing",
    "direct": "direct effect",
    "pattern": "pattern",
    "induction": "induction",
    "previous_token": "previous token",
    "duplicate_token": "duplicate token",
    "first_token": "first token",
}
LEDGERS = {"term": "by term", "layer": "by layer"}
QUESTION = ("clean", "corrupted", "answer", "contrast")
LAYOUTS = {"head": "layer × head", "position": "layer × position"}
COMPOSITIONS = {"q": "into queries", "k": "into keys", "v": "into values"}
FACTORS = {"0": "cut", "0.5": "halved", "2": "doubled", "-1": "reversed"}
TURNS = ("-4", "-2", "-1", "-0.5", "0", "0.5", "1", "1.5", "2", "4", "8", "16")  # what a feature is multiplied by
WAYS = {"times": "multiply", "plus": "add"}
OWNERS = {"all": "of all heads", "head": "of the selected head"}
DENSITIES = {"": "any density", "dense": "over 10 %", "common": "1–10 %", "rare": "0.1–1 %", "rarest": "under 0.1 %"}
SORTINGS = {"density": "most often", "max": "strongest", "head_weight": "most of one head", "feature": "by number"}
EXTRACTIONS = {"top": "strongest edges", "greedy": "grown from the answer"}
LISTS = ("nodes", "methods", "cuts", "groups")


@dataclass(frozen=True)
class View:
    """What is asked and what is looked at.

    `corrupted` and `contrast` may be empty. `query` and `key` are token positions; None is the answer's position and
    the token most attended to. `nodes` are the edits in force. `methods` are the attribution methods compared (none:
    those that the model's page opens with), `method` the one whose insides are shown ("": the first of them).
    `circuit` is what finds the circuit, `edges` how many of its edges are kept by which `extraction`, `cuts` the edges
    (`a9.6>q10.1`) and nodes cut beside that, `groups` the named supernodes (`movers:a9.6+a9.9`), `versus` what else the
    circuit is compared with: another way of finding it, or a task's prompts (`task ioi`). `depth` is the layer whose
    geometry is shown (None: the middle), `composition` which side of later heads, and `channel` the singular direction
    of a head's output (`a17.4>q20.0~0`) that is multiplied by `factor`. `dictionary` is the one whose features are
    shown ("": the first known for the model), `feature` the chosen one, whose activation is multiplied by `turn`,
    or raised by it, as `way` says; features are searched by `token`, by the selected head where `own` says so, and by
    `density`, and listed as `sorting` has it.
    """

    page: str = "overview"
    clean: str = "When Mary and John went to the store, John gave a drink to"
    corrupted: str = "When Mary and John went to the store, Mary gave a drink to"
    answer: str = " Mary"
    contrast: str = " John"
    layer: int | None = None
    head: int | None = None
    query: int | None = None
    key: int | None = None
    nodes: tuple[str, ...] = ()
    how: str = "zero"
    colour: str = "resample"
    methods: tuple[str, ...] = ()
    method: str = ""
    ledger: str = "term"
    circuit: str = "eap"
    edges: int = 200
    extraction: str = "top"
    layout: str = "head"
    cuts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    versus: str = ""
    depth: int | None = None
    composition: str = "q"
    channel: str = ""
    factor: str = "0"
    dictionary: str = ""
    feature: int | None = None
    turn: str = "0"
    way: str = "times"
    token: str = ""
    own: str = "all"
    density: str = ""
    sorting: str = "density"

    def only(self, names: tuple[str, ...]) -> Self:
        """The same view with every other field at its default, so that work cannot depend on what it did not ask."""
        return type(self)(**{name: getattr(self, name) for name in names})

    def to_dict(self) -> dict[str, Any]:
        """The form that the browser holds."""
        return asdict(self) | {name: list(getattr(self, name)) for name in LISTS}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From the browser's form, which `decode` or the page itself has checked."""
        known = {field.name for field in fields(cls)}
        kept = {name: value for name, value in values.items() if name in known}
        for name in LISTS:
            kept[name] = tuple(kept.get(name, ()))
        return cls(**kept)

    def encode(self) -> str:
        """The query string of a link that reopens this view; what is at its default is left out."""
        defaults = type(self)()
        pairs = []
        for name, value in asdict(self).items():
            if value != getattr(defaults, name) and value is not None:
                pairs.append((name, ",".join(value) if name in LISTS else str(value)))
        return urlencode(pairs)


@dataclass(frozen=True)
class Known:
    """What a link may name: pages, methods of attribution and of finding circuits, tasks, sizes, dictionaries."""

    pages: tuple[str, ...]
    methods: tuple[str, ...]
    circuits: tuple[str, ...]
    tasks: tuple[str, ...]
    graph: ComputationGraph
    dictionaries: tuple[str, ...] = ()


class Reader:
    """Reads a query string piece by piece; what cannot be used is left at its default and named in `problems`."""

    def __init__(self, search: str, known: "Known") -> None:
        self.given = dict(parse_qsl(search.removeprefix("?"), keep_blank_values=True, errors="replace"))
        self.known = known
        self.problems: list[str] = []

    def read(self) -> View:
        """The view that the link asks for, as far as it makes sense."""
        unknown = sorted(set(self.given) - {field.name for field in fields(View)})
        if unknown:
            self.problems.append(f"{unknown[0][:40]!r} is not part of a link")
        texts: dict[str, Any] = {name: self.given[name] for name in QUESTION if name in self.given}
        graph = self.known.graph
        layer, head = self._number("layer", graph.layers), self._number("head", graph.heads)
        both = layer is not None and head is not None
        return View(
            page=self._choice("page", self.known.pages),
            layer=layer if both else None,
            head=head if both else None,
            query=self._number("query", None),
            key=self._number("key", None),
            nodes=self._nodes(),
            how=self._choice("how", HOWS),
            colour=self._choice("colour", tuple(COLOURS)),
            methods=self._methods(),
            method=self._choice("method", ("", *self.known.methods)),
            ledger=self._choice("ledger", tuple(LEDGERS)),
            circuit=self._choice("circuit", self.known.circuits),
            edges=self._number("edges", graph.edge_count + 1) or View.edges,
            extraction=self._choice("extraction", tuple(EXTRACTIONS)),
            layout=self._choice("layout", tuple(LAYOUTS)),
            cuts=self._listed("cuts", partial(is_part, graph), "is not an edge or a node"),
            groups=self._listed("groups", partial(is_group, graph), "is not a group of nodes"),
            versus=self._choice("versus", ("", *self.known.circuits, *(f"task {name}" for name in self.known.tasks))),
            depth=self._number("depth", graph.layers + 1),
            composition=self._choice("composition", tuple(COMPOSITIONS)),
            channel=self._channel(),
            factor=self._choice("factor", tuple(FACTORS)),
            dictionary=self._dictionary(),
            feature=self._number("feature", None),
            turn=self._choice("turn", TURNS),
            way=self._choice("way", tuple(WAYS)),
            token=self.given.get("token", "")[:80],
            own=self._choice("own", tuple(OWNERS)),
            density=self._choice("density", tuple(DENSITIES)),
            sorting=self._choice("sorting", tuple(SORTINGS)),
            **texts,
        )

    def _choice(self, name: str, choices: tuple[str, ...]) -> str:
        standard = str(getattr(View, name))
        value = self.given.get(name, standard)
        if value in choices:
            return value
        self.problems.append(f"there is no {name} {value[:40]!r}")
        return standard

    def _dictionary(self) -> str:
        """The first is what an empty name stands for: one view has one form."""
        name = self._choice("dictionary", ("", *self.known.dictionaries))
        return "" if name in self.known.dictionaries[:1] else name

    def _channel(self) -> str:
        text = self.given.get("channel", "")
        if not text or is_channel(self.known.graph, text):
            return text
        self.problems.append(f"{text[:40]!r} is not a channel")
        return ""

    def _number(self, name: str, limit: int | None) -> int | None:
        text = self.given.get(name)
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) < 9 and (limit is None or int(text) < limit):
            return int(text)
        self.problems.append(f"there is no {name} {text[:40]!r}")
        return None

    def _listed(self, name: str, accepts: Callable[[str], bool], problem: str) -> tuple[str, ...]:
        """The entries of a list that make sense, each once."""
        given = [text for text in self.given.get(name, "").split(",") if text]
        self.problems += [f"{text[:40]!r} {problem}" for text in given if not accepts(text)]
        return tuple(dict.fromkeys(text for text in given if accepts(text)))

    def _methods(self) -> tuple[str, ...]:
        return self._listed("methods", self.known.methods.__contains__, "is not a method")

    def _nodes(self) -> tuple[str, ...]:
        kept: list[str] = []
        for text in filter(None, self.given.get("nodes", "").split(",")):
            try:
                node = parse_node(text)
            except InterpError:
                self.problems.append(f"{text[:40]!r} is not a head or an MLP")
                continue
            if str(node) not in self.known.graph.senders:
                self.problems.append(f"this model has no {text[:40]}")
            else:
                kept.append(str(node))
        return tuple(dict.fromkeys(kept))


def is_part(graph: ComputationGraph, text: str) -> bool:
    """Whether `text` is a sender, or an edge written as `a9.6>q10.1`."""
    sender, arrow, receiver = text.partition(">")
    if sender not in graph.senders:
        return False
    return not arrow or (receiver in graph.receivers and graph.present[graph.sender(sender), graph.receiver(receiver)])


def is_channel(graph: ComputationGraph, text: str) -> bool:
    """Whether `text` is a direction of one head's output into a later head, written as `a17.4>q20.0~0`."""
    edge, mark, component = text.partition("~")
    heads = edge.startswith("a") and edge.partition(">")[2][:1] in tuple("qkv")
    digits = component.isascii() and component.isdigit() and len(component) < 5
    return bool(mark and heads and digits) and is_part(graph, edge)


def is_group(graph: ComputationGraph, text: str) -> bool:
    """Whether `text` is a named group of nodes, written as `movers:a9.6+a9.9`."""
    name, _, nodes = text.partition(":")
    return bool(name.strip() and nodes) and all(node in (*graph.senders, "logits") for node in nodes.split("+"))


def decode(search: str, known: Known) -> tuple[View, str]:
    """The view of a link's query string, and one line that names what in it could not be used ("" if nothing)."""
    reader = Reader(search, known)
    view = reader.read()
    if not reader.problems:
        return view, ""
    more = f" (and {len(reader.problems) - 1} more)" if len(reader.problems) > 1 else ""
    return view, f"This link could not be read whole: {reader.problems[0]}{more}. The rest is shown."


def within(view: View, width: int) -> View:
    """The same view with positions that a prompt of `width` tokens has and a colouring that its prompts allow."""
    query = view.query if view.query is not None and view.query < width else None
    key = view.key if view.key is not None and view.key < width else None
    colour = "zero" if view.colour == "resample" and not view.corrupted else view.colour
    return replace(view, query=query, key=key, colour=colour)
