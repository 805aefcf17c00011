"""How far each of any latents stands for one factor of a text: scores against what is known of its tokens."""

from dataclasses import dataclass as plain_dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.intervals import percentile_interval, resampling_weights
from interp.core.labelled import LabelledPrompts
from interp.core.options import Repeats
from interp.core.prompts import Prompts
from interp.corpus.enough import require_tokens
from interp.corpus.harvest import Place
from interp.corpus.labels import HALF, RULES, Codes, LabelOptions, rule_places, rule_values, shuffled_labels
from interp.kinds import Disentanglement

FLAT = 1e-3  # steps of a curve that count as none
CELLS = 2**24  # bins of latents at tokens, held at a time


@dataclass(frozen=True)
class DisentanglementOptions(LabelOptions):
    """The text and its labels, and how latents are compared with chance."""

    bins: int = Field(8, ge=2, le=100, description="bins of equal counts that a latent's values are put into")
    draws: Repeats = Field(50, description="permutations of each factor, and resamples of the groups")


class Factor(NamedTuple):
    """What is known of every token, as numbers from 0."""

    name: str
    codes: Codes


@plain_dataclass(frozen=True)
class KnownTokens:
    """Some tokens, the groups that they are resampled by, and what is known of them."""

    prompts: Prompts
    places: list[Place]
    groups: Int[np.ndarray, "row"]
    factors: list[Factor]

    @classmethod
    def of(cls, prompts: Prompts, options: DisentanglementOptions) -> "KnownTokens":
        """The labelled tokens of prompts, or all behind the first `skip`; a random choice of `items` among more."""
        rng, factors = np.random.default_rng(options.seed), []
        if isinstance(prompts, LabelledPrompts):
            items = [prompts.items[at] for at in np.sort(rng.permutation(len(prompts.items))[: options.items])]
            places, names = [(item.row, item.pos) for item in items], [item.group for item in items]
            numbers = {name: at for at, name in enumerate(prompts.classes)}
            factors.append(Factor("label", np.array([numbers[item.label] for item in items])))
        else:
            all_places = rule_places(prompts, options.skip)
            places = [all_places[at] for at in np.sort(rng.permutation(len(all_places))[: options.items])]
            require_tokens(len(places), options.skip)
            names = [str(row) for row, _ in places]
        for rule in (*RULES, HALF):
            factors.append(Factor(rule, np.array(rule_values(prompts, rule, places, options.skip), dtype=int)))
        return cls(prompts, places, np.unique(np.array(names, dtype=str), return_inverse=True)[1], factors)

    def judged(
        self,
        values: Float[np.ndarray, "row component"],
        options: DisentanglementOptions,
        latents: str,
        facts: dict[str, str],
    ) -> Disentanglement:
        """The scores of what `latents` hold at these tokens."""
        scores = scored(values, self.factors, self.groups, bins=options.bins, draws=options.draws, seed=options.seed)
        return Disentanglement.of(
            self.prompts,
            scores,
            measured=f"how far {latents} stand for one factor each, on {len(self.places):,} tokens in "
            f"{int(self.groups.max()) + 1:,} groups",
            facts=facts,
            target=np.array([factor.name for factor in self.factors], dtype=object),
        )


def scored(
    values: Float[np.ndarray, "row component"],
    factors: list[Factor],
    groups: Int[np.ndarray, "row"],
    *,
    bins: int,
    draws: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Every score of the latents `values` for these factors."""
    rng, count = np.random.default_rng(seed), int(groups.max()) + 1
    weights = resampling_weights(count, resamples=draws, seed=seed)[:, groups] * count
    tellings = [_telling(factor, groups, weights, rng) for factor in factors]
    step = max(1, CELLS // (bins * len(values)))
    parts: list[list[Any]] = [[] for _ in factors]
    for first in range(0, values.shape[1], step):
        binned = _in_bins(values[:, first : first + step], bins)
        for part, telling in zip(parts, tellings, strict=True):
            part.append(_of_tables(_tables(binned, telling)))
    by_factor, information = [], []
    for part, telling in zip(parts, tellings, strict=True):
        shared, accuracy = (np.concatenate([each[at] for each in part], 1) for at in (0, 2))
        entropy, best = part[0][1], int(shared[0].argmax())
        gaps = {"mig": _gap(shared) / np.where(entropy > 0, entropy, np.nan), "sap": _gap(accuracy)}
        gaps["sap"] = np.where(entropy > 0, gaps["sap"], np.nan)
        scores: dict[str, Any] = {"best": best}
        for name, gap in gaps.items():
            null, again = gap[1 : draws + 1], gap[draws + 1 :]
            scores[name], scores[f"{name}_null"] = gap[0], np.quantile(null, 0.95)
            usable = count > 1 and np.isfinite(again).all()
            scores[f"{name}_interval"] = percentile_interval(again) if usable else (np.nan, np.nan)
        table = _tables(_in_bins(values[:, [best]], bins), telling[:1])[0, :, 0]
        scores["smoothness"], scores["monotonicity"] = _along(table, table.shape[1])
        by_factor.append(scores)
        information.append(shared[0])
    shared = np.array(information)
    together = {name: np.array([each[name] for each in by_factor]) for name in by_factor[0]}
    return {"mutual_information": shared, **together, "modularity": modularity(shared)}


def _telling(
    factor: Factor, groups: Int[np.ndarray, "row"], weights: Float[np.ndarray, "draw row"], rng: np.random.Generator
) -> list[Float[np.ndarray, "row value"]]:
    """A factor one-hot: as it is, permuted as often as there are weights, and weighted by each of them."""
    one_hot = np.eye(int(factor.codes.max()) + 1)[factor.codes]
    permuted = [np.eye(one_hot.shape[1])[shuffled_labels(factor.codes, groups, rng)] for _ in weights]
    return [one_hot, *permuted, *(one_hot * weight[:, None] for weight in weights)]


def _in_bins(values: Float[np.ndarray, "row component"], bins: int) -> Float[np.ndarray, "bin component row"]:
    """1 where a value is in a bin; the bins' edges are quantiles, and equal values share a bin."""
    edges = np.quantile(values, np.arange(1, bins) / bins, axis=0)
    number = (values[None] > edges[:, None]).sum(0)
    return np.stack([(number == each).T for each in range(bins)]).astype(np.float64)


def _tables(
    binned: Float[np.ndarray, "bin component row"], factors: list[Float[np.ndarray, "row value"]]
) -> Float[np.ndarray, "draw bin component value"]:
    """How often each bin and each value of a factor meet."""
    together = binned @ np.concatenate(factors, 1)
    return np.moveaxis(together.reshape(*together.shape[:2], len(factors), -1), 2, 0)


def _of_tables(tables: Float[np.ndarray, "draw bin component value"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mutual information and accuracy of each latent (`draw component`), and the factor's entropy (`draw`)."""
    joint = tables / tables.sum((1, 3), keepdims=True)
    bin_share, value_share = joint.sum(3, keepdims=True), joint.sum(1, keepdims=True)
    shared = (_log(joint, joint) - _log(joint, bin_share * value_share)).sum((1, 3))
    entropy = -_log(value_share, value_share)[:, 0, 0].sum(-1)
    likely = np.divide(joint, value_share, out=np.zeros_like(joint), where=value_share > 0)
    there = (value_share[:, 0, 0] > 0).sum(-1)
    return np.maximum(shared, 0), entropy, likely.max(3).sum(1) / there[:, None]


def _log(weight: np.ndarray, value: np.ndarray) -> np.ndarray:
    """weight · log(value), nought where there is no weight."""
    value = np.broadcast_to(value, weight.shape)
    return weight * np.log(value, out=np.zeros_like(weight), where=(weight > 0) & (value > 0))


def _gap(scores: Float[np.ndarray, "draw component"]) -> Float[np.ndarray, "draw"]:
    """The best latent's score less the next best's; its own where there is one latent."""
    if scores.shape[1] == 1:
        return scores[:, 0]
    two = -np.partition(-scores, 1, axis=1)[:, :2]
    return two[:, 0] - two[:, 1]


def _along(table: Float[np.ndarray, "bin value"], values: int) -> tuple[float, float]:
    """Smoothness and monotonicity of the mean of a factor of two values along the bins that hold something."""
    table = table[table.sum(1) > 0]
    if values != 2 or len(table) < 3:
        return np.nan, np.nan
    return along(table[:, 1] / table.sum(1))


def along(curve: Float[np.ndarray, "bin"]) -> tuple[float, float]:
    """1 − Lehmer mean of |second differences| over the range of the first, and the mean sign of steps above FLAT."""
    step = np.diff(curve)
    bend, extent = np.abs(np.diff(step)), float(np.ptp(step))
    smoothness = 1.0 if extent == 0 else 1 - float(np.square(bend).sum() / bend.sum()) / extent
    steep = np.abs(step) > FLAT
    return smoothness, float(np.sign(step[steep]).mean()) if steep.any() else np.nan


def modularity(shared: Float[np.ndarray, "target component"]) -> Float[np.ndarray, "feature"]:
    """Of every latent, 1 where it tells of one factor alone; NaN where it tells of none, or there is one factor."""
    squares = np.square(shared)
    most = squares.max(0)
    others = np.where(most > 0, most, np.nan) * (len(shared) - 1 or np.nan)
    return 1 - (squares.sum(0) - most) / others
