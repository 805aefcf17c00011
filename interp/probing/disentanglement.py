"""Disentanglement: whether single neurons, heads or dimensions each stand for one factor of the text."""

from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.intervals import percentile_interval, resampling_weights
from interp.core.labelled import LabelledPrompts
from interp.core.options import Index, Repeats
from interp.core.prompts import Prompts
from interp.corpus.enough import require_tokens
from interp.kinds import Disentanglement
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.probing.columns import shuffled_labels
from interp.probing.harvest import Place, States
from interp.probing.labels import HALF, RULES, LabelOptions, labelled_prompts, rule_places, rule_values

_SITES = {"neurons": "mlp_post", "heads": "z", "stream": "resid_post"}
FLAT = 1e-3  # steps of a curve that count as none


@dataclass(frozen=True)
class DisentanglementOptions(LabelOptions):
    """The text and its labels, which latents, and how they are compared with chance."""

    latents: Literal["neurons", "heads", "stream"] = Field(
        "neurons", description="neurons of the MLP, norms of the heads' weighted values, or dimensions of the stream"
    )
    layer: Index | None = Field(None, description="the layer whose latents are scored; by default the middle one")
    bins: int = Field(8, ge=2, le=100, description="bins of equal counts that a latent's values are put into")
    draws: Repeats = Field(50, description="permutations of each factor, and resamples of the groups")


class Factor(NamedTuple):
    """What is known of every token, as numbers from 0."""

    name: str
    codes: Int[np.ndarray, "row"]


@engine(default_prompts=labelled_prompts)
def disentanglement(model: HookedModel, prompts: Prompts, options: DisentanglementOptions) -> Disentanglement:
    """Whether single latents each stand for one factor of the text: MIG, SAP, modularity, smoothness and monotonicity.

    Factors are the prompts' labels and three rules: the token begins a word, was seen before, stands in the second
    half. Mutual information I is that of a latent in bins of equal counts and a factor: `target component`. Of a
    factor: MIG, I of its best latent less that of the next, over the factor's entropy; SAP, the same difference of the
    balanced accuracies of predictions from the bin alone; for two values, how smooth and how monotone the factor's mean
    is along the best latent. Of a latent, modularity: 1 − Σ I² of the other factors over (factors − 1) times I² of its
    best. Nulls permute the factor within prompts (or groups); intervals resample these.
    Unit: nats for I.
    Raises: OptionError for a layer that the model does not have; SiteError for latents that it lacks;
    CorpusError where `skip` leaves no token.
    Source: Chen et al. 2018, "Isolating Sources of Disentanglement in VAEs", section 4 (MIG); Kumar et al. 2018 (SAP);
    Ridgeway & Mozer 2018 (modularity); Watcharasupat & Lerch 2023, "Latte" (smoothness, monotonicity).
    Differs: one-latent predictors are the bins' likeliest values rather than linear machines; curves are those of the
    bins' means.
    """
    layer = model.dims.layers // 2 if options.layer is None else options.layer
    if layer >= model.dims.layers:
        raise OptionError(f"disentanglement, layer = {layer}: {model.name} has layers 0 to {model.dims.layers - 1}")
    places, groups, factors = _factors(prompts, options)
    values = States(model, prompts, places, [Site(_SITES[options.latents], layer)]).at(places, 0)
    if options.latents == "heads":
        values = np.linalg.norm(values.reshape(len(values), model.dims.heads, -1), axis=-1)
    scores = scored(values, factors, groups, bins=options.bins, draws=options.draws, seed=options.seed)
    return Disentanglement.of(
        prompts,
        scores,
        measured=f"how far {options.latents} of layer {layer} stand for one factor each, on {len(places):,} tokens in "
        f"{int(groups.max()) + 1:,} groups",
        facts={"layer": str(layer), "latents": options.latents},
        target=np.array([factor.name for factor in factors], dtype=object),
    )


def _factors(
    prompts: Prompts, options: DisentanglementOptions
) -> tuple[list[Place], Int[np.ndarray, "row"], list[Factor]]:
    """Tokens, their groups, and what is known of them."""
    rng, factors = np.random.default_rng(options.seed), []
    if isinstance(prompts, LabelledPrompts):
        items = list(prompts.items)
        items = [items[at] for at in np.sort(rng.permutation(len(items))[: options.items])]
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
    return places, np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)[1], factors


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
    binned, rng = _in_bins(values, bins), np.random.default_rng(seed)
    count = int(groups.max()) + 1
    weights = resampling_weights(count, resamples=draws, seed=seed)[:, groups] * count
    by_factor, information = [], []
    for factor in factors:
        one_hot = np.eye(int(factor.codes.max()) + 1)[factor.codes]
        permuted = [np.eye(one_hot.shape[1])[shuffled_labels(factor.codes, groups, rng)] for _ in range(draws)]
        resampled = [one_hot * weight[:, None] for weight in weights]
        tables = _tables(binned, [one_hot, *permuted, *resampled])
        shared, entropy, accuracy = _of_tables(tables)
        gaps = {"mig": _gap(shared) / np.where(entropy > 0, entropy, np.nan), "sap": _gap(accuracy)}
        gaps["sap"] = np.where(entropy > 0, gaps["sap"], np.nan)
        best = int(shared[0].argmax())
        scores: dict[str, Any] = {"best": best}
        for name, gap in gaps.items():
            null, again = gap[1 : draws + 1], gap[draws + 1 :]
            scores[name], scores[f"{name}_null"] = gap[0], np.quantile(null, 0.95)
            usable = count > 1 and np.isfinite(again).all()
            scores[f"{name}_interval"] = percentile_interval(again) if usable else (np.nan, np.nan)
        scores["smoothness"], scores["monotonicity"] = _along(tables[0, :, best], one_hot.shape[1])
        by_factor.append(scores)
        information.append(shared[0])
    shared = np.array(information)
    together = {name: np.array([each[name] for each in by_factor]) for name in by_factor[0]}
    return {"mutual_information": shared, **together, "modularity": modularity(shared)}


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
