"""What the Layers page looks at, and what it asks."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from interp import flow
from interp.models.hooked import HookedModel
from interp_dashboard.asking import Ask, Call, Packaged, once
from interp_dashboard.state import Listed, Undoable, View, suits

# What a page asks of each engine, and about how many passes over its windows that takes
MEASURED: dict[str, tuple[dict[str, int], int]] = {
    "layer-redundancy": ({"windows": 20, "tested": 4}, 40),
    "layer-removal": ({"windows": 20, "tested": 2}, 12),
    "attention-sinks": ({"windows": 16}, 3),
    "attention-dispersion": ({"windows": 16}, 1),
    "attention-spectrum": ({"windows": 8}, 2),
    "lazy-layers": ({"windows": 4}, 20),
    "token-clusters": ({"windows": 16}, 1),
    "feature-diversity": ({"windows": 16}, 1),
    "activation-sparsity": ({"windows": 4}, 20),
}
FITTED = 16  # windows that a click's affine maps are fitted on
TESTED = 4  # windows on which its loss is measured
WAYS = {"skip": "skipped", "line": "linearised"}
LONGEST = 400  # characters of a corpus
_CHANGE = re.compile(r"(skip|line)(0|[1-9]\d{0,3})")


def _change(text: str) -> str:
    if not _CHANGE.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a layer skipped (skip4) or linearised (line4)")
    return text


def _measure(text: str) -> str:
    if len(text) > 80:
        raise ValueError(f"{text[:40]!r}… is no measure")
    return text


def layer_of(change: str) -> int:
    """The layer that a change is of: `skip4` is of layer 4."""
    return int(change[4:])


@dataclass(frozen=True)
class Layers(View):
    """The corpus ("": the standard library's documentation), the columns, by which the rows are sorted, the changes.

    `by` is a measure, with `-` before it from the largest down; `changed` layers are written skip4 and line12.
    """

    text: Annotated[
        str,
        Field(max_length=LONGEST),
        suits(lambda model, corpus: not corpus.startswith("hf:"), "is fetched only when it is typed on page Layers"),
    ] = ""
    measures: Annotated[tuple[str, ...], Listed(AfterValidator(_measure))] = ()
    by: Annotated[str, Field(max_length=80)] = ""
    changed: Annotated[
        tuple[str, ...],
        Listed(
            AfterValidator(_change),
            suits(lambda model, change: layer_of(change) < model.dims.layers, "is beyond this model's layers"),
        ),
        Undoable(),
    ] = ()

    @property
    def corpus(self) -> dict[str, str]:
        """The corpus as an option of an engine."""
        return {"corpus": self.text} if self.text else {}


def _over_corpus(engine: str) -> Packaged[Layers]:
    options, passes = MEASURED[engine]
    return Packaged(engine, lambda model, view: options | view.corpus, passes)


def _changes(model: HookedModel, view: Layers) -> dict[str, Any] | None:
    if not view.changed:
        return None
    layers = {way: tuple(sorted(layer_of(change) for change in view.changed if change.startswith(way))) for way in WAYS}
    options: dict[str, Any] = {"skipped": layers["skip"], "linearised": layers["line"], "tested": TESTED} | view.corpus
    if layers["line"]:
        options["maps"] = Call(flow.layer_maps, {"windows": FITTED} | view.corpus, "fitting affine maps", once)
    return view.question | options


MEASURES: Mapping[str, Packaged[Layers]] = {name: _over_corpus(name) for name in MEASURED if name != "layer-removal"}
REMOVAL = _over_corpus("layer-removal")
CHANGED = Ask(flow.layer_ablation, _changes, "changing layers", once)
