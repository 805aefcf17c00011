"""The Geometry page's work: position and context over a corpus, a head's scores split, and how heads compose."""

from pathlib import Path
from typing import Any

from interp import geometry
from interp.core.errors import CorpusError
from interp.core.result import Result
from interp.corpus.gathering import gather, opened
from interp.corpus.options import windows_of
from interp.models.hooked import HookedModel
from interp.models.sources import cache_folder
from interp_dashboard.questions import Question, call, literal, prompts_of, text_arguments
from interp_dashboard.state import QUESTION, View

CHANNELS = 400  # of all compositions together, from which each one's strongest are listed
WINDOWS = {"position_context": 64, "linearity": 16, "cka": 16, "positional_variance": 16}  # of the corpus, for a page


def statistics(model: HookedModel) -> str:
    """The folder of the model's sums over the standard library's documentation; made once and kept in the cache."""
    options = geometry.position_context.parse_options({"windows": WINDOWS["position_context"]})
    sums = options.sums
    told = sums.settings() | {"windows": options.windows}
    name = "-".join([model.weight_hash, *(f"{key}{value}" for key, value in told.items())])
    folder: Path = cache_folder("statistics") / name
    try:
        opened(folder, model, sums)
    except CorpusError:  # new or unfinished; what is wrong with it is told in the second attempt
        gather(model, windows_of(model, options), sums, out=folder)
    return str(folder)


def _channel(model: HookedModel, view: View) -> Result:
    sender, receiver, component = channel_of(view.channel)
    return geometry.channel_ablation(
        model, prompts_of(model, view), sender=sender, receiver=receiver, components=(component,),
        factor=float(view.factor),
    )  # fmt: skip


def channel_of(text: str) -> tuple[str, str, int]:
    """Sender, receiver and component of a channel written as `a17.4>q20.0~0`."""
    edge, _, component = text.partition("~")
    sender, _, receiver = edge.partition(">")
    return sender, receiver, int(component)


def _python_channel(view: View) -> str:
    sender, receiver, component = channel_of(view.channel)
    return call(
        "geometry.channel_ablation", *text_arguments(view), f"sender={literal(sender)}",
        f"receiver={literal(receiver)}", f"components=({component},)", f"factor={float(view.factor)}",
    )  # fmt: skip


def _plain(name: str, label: str) -> Question:
    """An engine that reads some windows of the corpus and no prompt."""
    run: Any = getattr(geometry, name)
    return Question(
        name,
        label,
        (),
        lambda model, view: run(model, windows=WINDOWS[name]),
        lambda view: f"result = interp.geometry.{name}(model, windows={WINDOWS[name]})\n",
        quick=False,
    )


POSITIONS = Question(
    "positions",
    "reading the corpus",
    (),
    lambda model, view: geometry.position_context(model, statistics=statistics(model)),
    lambda view: f"result = interp.geometry.position_context(model, windows={WINDOWS['position_context']})\n",
    quick=False,
)
SPLIT = Question(
    "split",
    "splitting attention scores",
    ("clean", "layer", "head"),
    lambda model, view: geometry.qk_split(
        model, view.clean, layer=view.layer, head=view.head, statistics=statistics(model)
    ),
    lambda view: call("geometry.qk_split", literal(view.clean), f"layer={view.layer}", f"head={view.head}"),
    quick=False,
)
COMPOSITION = Question(
    "composition",
    "composing heads",
    (),
    lambda model, view: geometry.head_composition(model, top=CHANNELS),
    lambda view: f"result = interp.geometry.head_composition(model, top={CHANNELS})\n",
    quick=False,
)
CHANNEL = Question("channel", "changing a channel", (*QUESTION, "channel", "factor"), _channel, _python_channel)
LINEARITY = _plain("linearity", "fitting linear maps")
SIMILARITY = _plain("cka", "comparing layers")
VARIANCE = _plain("positional_variance", "measuring what attention adds")
