"""Position and context: every layer's stream as mean + position + context + residual, and what the parts are like."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.core.engine import engine
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.gathering import Gathered
from interp.corpus.windows import Windows
from interp.geometry.positions.parts import Parts, PositionOptions, default_windows, gathered
from interp.geometry.positions.position_measures import (
    codes,
    cosines,
    evenly,
    low_frequencies,
    low_frequency_share,
    principal,
    screenot_rank,
    similarities,
    spectral_norm,
    stable_rank,
)
from interp.geometry.positions.position_sums import unpacked
from interp.kinds import PositionContext
from interp.models.hooked import HookedModel
from interp.models.sites import Site

ARRANGEMENTS = {"as read": "by_position", "shuffled": "shuffled"}
ROWS = 4096  # windows read at a time
COMPARED, MAPPED, DRAWN, SPECTRUM = 1024, 512, 128, 32  # windows compared, windows mapped, positions, singular values


@engine(obstacle=lambda model: model.site_obstacle(Site("resid_pre", 0)), default_prompts=default_windows)
def position_context(model: HookedModel, prompts: Prompts, options: PositionOptions) -> PositionContext:
    """Every layer's stream as mean + position + context + residual over a corpus, with measures of each part.

    h[c, t] = μ + pos[t] + ctx[c] + resid[c, t] for window c and position t after the first `skip`: μ is the mean of
    all, μ + pos[t] that at a position, μ + ctx[c] that of a window (a two-way analysis of variance). The shares of
    Σ‖h‖² are `arrangement layer`, L + 1 layers; the residual's comes from sums of its own, not from the rest.
    Per layer: stable rank Σσ²/σ₁² and ScreeNOT `rank` of pos; `relative_norm`, ‖pos‖₂ / ‖h − μ‖₂ with one row a
    token on both sides; `low_frequency_share` of the 2-D cosine transform of pos' cosines; `incoherence`,
    max |cos(pos[t], ctx[c])|; mean |cos| of two windows of one topic, and of two topics.
    Unit: shares of energy, cosines, and numbers without one; `curve`, `map` and `singular_value` are the stream's.
    Conserves: the shares and the remainder add up to the energy of the stream.
    Raises: CorpusError for prompts of different lengths, or a folder of another model; OptionError.
    Source: Song & Zhong 2023, "Uncovering hidden geometry in Transformers via disentangling position and context",
    sections 2 and 3; ScreeNOT: Donoho, Gavish & Romanov 2020.
    Differs: the low frequencies, which the paper draws, are a number; a window is not compared with itself; every
    measure has a control: positions shuffled within each window, topics among windows.
    """
    corpus_sums = gathered(model, options, prompts)
    windows, count = corpus_sums.windows, len(corpus_sums.windows)
    has_labels = isinstance(windows, Windows)
    topics = codes(windows.topics) if has_labels else np.arange(count)
    some_windows, map_windows = evenly(count, COMPARED), evenly(count, MAPPED)
    kinds = {"as read": topics, "shuffled": np.random.default_rng(options.seed).permutation(topics)}
    parts = {name: Parts.of(corpus_sums, options.skip, sums) for name, sums in ARRANGEMENTS.items()}
    places, positions = parts["as read"].position.shape[:2]
    curve_places = evenly(positions, DRAWN)
    table: dict[str, list[list[float]]] = {}
    drawings: dict[str, list[Tensor]] = {}
    for layer in track(range(places), places, "position-context: layers"):
        contexts = _Contexts(corpus_sums, layer)
        within = unpacked(corpus_sums.totals["within"][layer], model.dims.d_model)
        spread, some = spectral_norm(within + positions * contexts.moment()), contexts.of(some_windows)
        singular = {name: torch.linalg.svdvals(part.position[layer]) for name, part in parts.items()}
        rows = [
            _measures(corpus_sums, part, layer, singular[name], some, kinds[name][some_windows], spread)
            for name, part in parts.items()
        ]
        for name in rows[0]:
            table.setdefault(name, []).append([row[name] for row in rows])
        drawing = _drawing(parts["as read"].position[layer], curve_places)
        drawing |= {"singular_value": singular["as read"][:SPECTRUM], "map": principal(contexts.of(map_windows))}
        for name, values in drawing.items():
            drawings.setdefault(name, []).append(values)
    return PositionContext.of(
        prompts,
        {name: np.array(values).T for name, values in table.items()}
        | {name: torch.stack(values) for name, values in drawings.items()},
        measured=f"the stream as mean + position + context + residual over {_in_words(windows, options)}",
        facts={
            "relative_norm": "‖position‖₂ / ‖stream − mean‖₂, one row a token",
            "low_frequencies": f"the {low_frequencies(positions)} lowest of {positions} on both axes",
            "compared_windows": f"{len(some_windows):,} of {count:,}",
        },
        arrangement=list(ARRANGEMENTS),
        pos=options.skip + curve_places,
        other_pos=options.skip + curve_places,
        window=map_windows,
        topic=("window", _words(windows.topics if has_labels else windows.texts, map_windows)),
        document=("window", _words(windows.documents if has_labels else windows.texts, map_windows)),
    )


def _measures(
    corpus_sums: Gathered,
    parts: Parts,
    layer: int,
    singular: Float[Tensor, "rank"],
    contexts: Float[Tensor, "window d_model"],
    topics: Int[np.ndarray, "window"],
    spread: float,
) -> dict[str, float]:
    """Every number of a layer: `singular`, the position part's values; `spread`, ‖stream − mean‖₂."""
    position = parts.position[layer]
    norm = len(corpus_sums.windows) ** 0.5 * float(singular[0])
    within, between = similarities(contexts, topics)
    return _shares(corpus_sums, parts, layer) | {
        "stable_rank": stable_rank(singular),
        "rank": screenot_rank(singular, position.shape),
        "relative_norm": norm / spread if spread else float("nan"),
        "low_frequency_share": low_frequency_share(cosines(position, position)),
        "incoherence": float(cosines(position, contexts).abs().max()),
        "similarity_within": within,
        "similarity_between": between,
    }


def _shares(corpus_sums: Gathered, parts: Parts, layer: int) -> dict[str, float]:
    """What each part has of the energy Σ‖h‖²."""
    totals, positions = corpus_sums.totals, parts.position.shape[1]
    windows, energy = int(totals["windows"]), float(totals["energy"][layer])
    mean = windows * float(parts.mean[layer].square().sum())
    position = windows * float(parts.position[layer].square().sum())
    shares = {
        "mean_share": positions * mean / energy,
        "position_share": position / energy,
        "context_share": positions * (float(totals["context_energy"][layer]) - mean) / energy,
        "residual_share": (float(totals["within_energy"][layer]) - position) / energy,
    }
    return shares | {"remainder": 1 - sum(shares.values())}


class _Contexts:
    """The context part of each window at one layer, a few thousand windows in memory at a time."""

    def __init__(self, corpus_sums: Gathered, layer: int) -> None:
        self._sums, self._name = corpus_sums, f"context-{layer:03}"
        self._mean = sum(rows.sum(0) for rows in self._rows()) / len(corpus_sums.windows)  # theirs: they sum to zero

    def of(self, windows: np.ndarray) -> Float[Tensor, "window d_model"]:
        """Those of some windows."""
        return _double(self._sums.rows(self._name)[windows]) - self._mean

    def moment(self) -> Float[Tensor, "d_model other"]:
        """Σ ctx ctxᵀ."""
        return sum((rows - self._mean).T @ (rows - self._mean) for rows in self._rows())  # pyright: ignore

    def _rows(self) -> Iterator[Tensor]:
        for start in range(0, len(self._sums.windows), ROWS):  # opened anew: pages that were read count as memory
            yield _double(self._sums.rows(self._name)[start : start + ROWS])


def _double(rows: np.ndarray) -> Tensor:
    return torch.from_numpy(rows.astype(np.float64))


def _drawing(position: Float[Tensor, "pos d_model"], places: np.ndarray) -> dict[str, Tensor]:
    """The position part of some positions on its principal directions, and the cosines between them."""
    return {"curve": principal(position)[places], "gram": cosines(position[places], position[places])}


def _in_words(windows: Prompts, options: PositionOptions) -> str:
    line = windows.described if isinstance(windows, Windows) else f"{len(windows)} prompts of {windows.width} tokens"
    return f"{line}, without the first {options.skip} positions" if options.skip else line


def _words(names: tuple[str, ...], rows: np.ndarray) -> np.ndarray:
    return np.array([names[window] for window in rows], dtype=object)
