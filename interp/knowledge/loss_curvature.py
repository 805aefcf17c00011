"""Loss curvature: where in an MLP's weights the loss is sharp, and what goes when the flat directions are dropped."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.intervals import bootstrap_mean
from interp.core.options import Count, Fraction, Index
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.batches import step_of
from interp.corpus.enough import require_predictions
from interp.corpus.gathering import gather
from interp.corpus.losses import losses_of, predicting, predictions
from interp.corpus.options import CorpusOptions, windows_of
from interp.kinds import LossCurvature
from interp.knowledge.curvature.dropping import Factors, changed_matrices
from interp.knowledge.curvature.factors import FactorSums, Matrix, curvature_obstacle, matrices
from interp.models.edits import Edit
from interp.models.hooked import HookedModel

ARRANGEMENTS = ("highest", "random", "lowest")


@dataclass(frozen=True)
class LossCurvatureOptions(CorpusOptions):
    """Which MLP, how much of its curvature is kept, and on how much text."""

    layer: Index | None = Field(None, description="layer of the MLP; by default the last one")
    fractions: tuple[Fraction, ...] = Field(
        (0.6, 0.8, 0.9, 0.99, 1.0), description="shares of the curvature that are kept", min_length=1, max_length=100
    )
    tested: Count = Field(8, description="windows, the last ones of the text, on which the loss is measured")
    examples: tuple[str, ...] = Field(
        (), description="texts, such as passages that the model may recite, each read before and after every edit"
    )
    top: Count = Field(50, description="eigenvalues listed of each factor")
    skip: Index = Field(1, description="initial positions of every window to skip; the first is often an outlier")


@engine(obstacle=curvature_obstacle, default_prompts=windows_of)
def loss_curvature(model: HookedModel, prompts: Prompts, options: LossCurvatureOptions) -> LossCurvature:
    """Curvature of the loss in one MLP's weights by K-FAC, and the loss when its flat directions are dropped.

    For each matrix W the factors A = E[aaᵀ] over inputs and G = E[ggᵀ] over the loss' gradients at its outputs; in
    their eigenbases entry (i, j) has curvature λ_i μ_j. The highest entries that hold the share ρ are kept, all others
    zero.

    All matrices of the MLP are edited together, while the model runs. Controls keep as many entries, at random or the
    lowest. ρ = 1 leaves every weight exactly as it is. Of each of the `examples`, its loss before and after, and the
    share of its tokens that the model ranks first: what is only recited is lost before other text is.
    Unit: nats, a token.
    Raises: CorpusError where no token is left; OptionError for a layer that is not there, or an example of one token.
    Source: Merullo et al. 2025, "From Memorization to Reasoning in the Spectrum of Loss Curvature", section 3;
    Martens & Grosse 2015, section 3.
    Differs: one layer at a time; gradients of the summed rather than of the mean loss, which scales all curvatures
    alike; labels are drawn from the model for every token once. Of fewer tokens than a matrix has rows or columns the
    basis of its flat part, in which both controls drop entries, is arbitrary.
    """
    layer = model.dims.layers - 1 if options.layer is None else options.layer
    if layer >= model.dims.layers:
        raise OptionError(f"loss-curvature, layer = {layer}: {model.name} has layers 0 to {model.dims.layers - 1}")
    require_predictions(predictions(prompts, options.skip).sum(), options.skip)
    examples = _examples(model, options.examples)
    totals = gather(model, prompts, FactorSums(layer, options.seed, options.skip)).totals
    some, count = matrices(model, layer), int(totals["tokens"])
    factors = [Factors.of(totals[f"A_{m.name}"] / count, totals[f"G_{m.name}"] / count, m.weight) for m in some]
    windows = prompts[max(0, len(prompts) - options.tested) :]
    values = _spectra(factors, options.top) | _edited(model, windows, examples, some, factors, options)
    labels: dict[str, Any] = {} if examples is None else {"entry": np.array(examples.texts, dtype=object)}
    return LossCurvature.of(
        prompts,
        values,
        measured=f"curvature of the loss in the weights of MLP {layer} over {count:,} tokens, and the loss on "
        f"{len(windows):,} windows with the rest dropped",
        component=[matrix.name for matrix in some],
        fraction=np.array(options.fractions),
        arrangement=list(ARRANGEMENTS),
        facts={"layer": str(layer)},
        **labels,
    )


def _examples(model: HookedModel, texts: Sequence[str]) -> Prompts | None:
    if not texts:
        return None
    examples = Prompts.of(model, texts)
    for text, count in zip(examples.texts, predictions(examples), strict=True):
        if not count:
            raise OptionError(
                f"loss-curvature, examples: {text!r} is a single token, which has no loss; give more text"
            )
    return examples


def _spectra(factors: Sequence[Factors], top: int) -> dict[str, np.ndarray]:
    values = {name: np.full((len(factors), top), np.nan) for name in ("input_eigenvalue", "output_eigenvalue")}
    for row, each in enumerate(factors):
        for name, spectrum in (("input_eigenvalue", each.inputs), ("output_eigenvalue", each.outputs)):
            largest = np.sort(spectrum)[::-1][:top]
            values[name][row, : len(largest)] = largest
    return values


def _edited(
    model: HookedModel,
    windows: Prompts,
    examples: Prompts | None,
    some: list[Matrix],
    factors: list[Factors],
    options: LossCurvatureOptions,
) -> dict[str, np.ndarray]:
    """What each arrangement and fraction keeps and changes, and what is read of the windows and examples after it."""
    kept = np.zeros((len(some), len(options.fractions)))
    change, losses = np.zeros_like(kept), np.zeros((len(windows), len(ARRANGEMENTS), len(options.fractions)))
    after = np.zeros((2, len(ARRANGEMENTS), len(options.fractions), 0 if examples is None else len(examples)))
    for at, fraction in enumerate(track(options.fractions, len(options.fractions), "dropping low curvature")):
        highest = [each.highest(fraction) for each in factors]
        kept[:, at] = [mask.mean() for mask in highest]
        for place, changes in enumerate(_changes(factors, highest, options.seed).values()):
            if place == 0:
                sizes = [
                    (np.linalg.norm(each), np.linalg.norm(f.rotated)) for each, f in zip(changes, factors, strict=True)
                ]
                change[:, at] = [part / whole if whole else 0.0 for part, whole in sizes]
            edits = changed_matrices(some, changes)
            losses[:, place, at] = _read(model, windows, edits).loss
            if examples is not None:
                after[:, place, at] = _read(model, examples, edits)
    mean, low, high = bootstrap_mean(losses, seed=options.seed)
    values: dict[str, Any] = {
        "kept": kept, "change": change, "loss": mean, "loss_interval": np.stack([low, high], -1),
        "clean_loss": bootstrap_mean(_read(model, windows, []).loss)[0],
    }  # fmt: skip
    if examples is not None:
        before = _read(model, examples, [])
        values |= {"example_before": before.loss, "example_after": after[0]}
        values |= {"recited_before": before.recited, "recited_after": after[1]}
    return values


def _changes(factors: Sequence[Factors], highest: Sequence[np.ndarray], seed: int) -> Mapping[str, list[np.ndarray]]:
    pairs = list(zip(factors, highest, strict=True))
    return {
        "highest": [each.change(mask) for each, mask in pairs],
        "random": [each.change(each.random(int(mask.sum()), seed)) for each, mask in pairs],
        "lowest": [each.change(each.lowest(int(mask.sum()))) for each, mask in pairs],
    }


class Reading(NamedTuple):
    """Of each text: its mean loss, and the share of its tokens, from the second on, that are ranked first."""

    loss: Float[np.ndarray, "window"]
    recited: Float[np.ndarray, "window"]


def _read(model: HookedModel, texts: Prompts, edits: Sequence[Edit]) -> Reading:
    step, parts = step_of(texts), []
    for first in range(0, len(texts), step):
        part = texts[first : first + step]
        with torch.no_grad():
            logits = model.run(part, edits=edits).logits
        right = (logits[:, :-1].argmax(-1).cpu() == part.tokens[:, 1:]) & predicting(part)
        with np.errstate(invalid="ignore"):
            parts.append((losses_of(logits, part), right.sum(1).double().numpy() / predictions(part)))
    return Reading(*np.concatenate(parts, 1))
