"""Feature ablation and steering: the answer before and after, compared with features of similar density."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.nodes import Node
from interp.core.options import Count, Factor, Index, Repeats, Seed
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.batches import step_of
from interp.corpus.options import CorpusOptions
from interp.dictionaries.cards.density import as_often, densities
from interp.dictionaries.features.choosing import ANSWER, chosen_positions, most_active, require_features
from interp.dictionaries.features.written import decoder_rows
from interp.dictionaries.sae.attached import Attached
from interp.dictionaries.sae.catalogue import DictionaryOptions, attached
from interp.kinds import FeatureAblation
from interp.models.comparison import compared
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site


@dataclass(frozen=True)
class FeatureAblationOptions(DictionaryOptions):
    """Which features are changed, how, and what they are compared with."""

    features: tuple[Index, ...] = Field(
        (),
        description="features to change; by default each prompt's most active one at the position (or the "
        "answer position)",
    )
    position: int | None = Field(
        None,
        ge=ANSWER,
        le=10**6,
        description="position at which they are changed, -1 for the answer position; by default all",
    )
    factor: Factor = Field(0.0, description="factor on their activations; 0 ablates them")
    steer: Factor = Field(0.0, description="activation to add (steering)")
    draws: Repeats = Field(
        8, description="number of control draws: random features of similar density, changed in the same way"
    )
    top: Count = Field(10, description="top tokens listed before and after")
    corpus: str = Field("stdlib", description="corpus for densities: stdlib, a file, a folder, or hf:NAME")
    windows: Count = Field(8, description="number of windows of the corpus")
    length: Count = Field(128, description="tokens per window")
    seed: Seed = Field(0, description="seed of the document order and of the draws")


@engine
def feature_ablation(
    model: HookedModel, prompts: Prompts, metric: Metric | None, options: FeatureAblationOptions
) -> FeatureAblation:
    """The answer before and after ablating, scaling or adding features, compared with equally frequent ones.

    f → factor · f + steer, decoded, with what the dictionary misses added as it was. Returns the metric before and
    after (axis `batch`; NaN where nothing was asked), most likely tokens of each (`batch rank`), and the effects of
    changing other features instead (`batch draw`), drawn at random from those whose density on a corpus is within a
    factor of two of that of the feature they stand for; those that are active on the prompt where it is changed go
    first (`control_active`). What is added for them has the same norm. `as_strong` is the share of them with an effect
    at least as large: of all where something is added, else of those that are active, since the others are not changed.
    It is NaN where there are none, or where the features themselves are not changed. `activation` is their own largest
    |activation| where they are changed; 0: not active here.
    Unit: that of the metric; probabilities; densities, shares of tokens; activation, in units of the decoder's rows.
    Raises: OptionError for a feature or position that is not there, or where none is named and none is active;
    DictionaryError where no dictionary is known; CorpusError for a corpus that cannot be read.
    Source: Marks et al. 2024, "Sparse Feature Circuits"; Bricken et al. 2023, "Towards Monosemanticity".
    Differs: a control of other features stands beside every effect.
    """
    dictionary = attached(model, options.dictionary)
    require_features("feature-ablation", options.features, dictionary.sae.cfg.d_sae)
    corpus = CorpusOptions(corpus=options.corpus, windows=options.windows, length=options.length, seed=options.seed)
    frequencies = densities(dictionary, corpus, "feature-ablation: windows for densities")
    density = frequencies.shares
    places = _places(model, prompts, options.position)
    into = Site("resid_pre", dictionary.site.layer)
    with torch.no_grad():
        trace = model.record(prompts, [into, dictionary.site])
        features = dictionary.encode(trace[dictionary.site])
    sets = _features_of(dictionary, prompts, features, options)
    size = (features.abs() * places.to(features.device)[..., None]).amax(1).cpu()
    controls = [
        as_often(frequencies.likely, own, size[row] != 0, options.draws, seed=options.seed)
        for row, own in enumerate(sets)
    ]
    activation = np.array([float(size[row, own].max()) for row, own in enumerate(sets)])
    active = _active(size, controls, options.draws)
    change = _Change(dictionary, options)
    result = compared(
        model, prompts, [change.edit(sets, sets, places)], metric, top=options.top, changed=_words(options, sets)
    )
    control_values = _control_values(model, prompts, metric, change, sets, controls, places, trace[into])
    effects, is_steered = control_values - result.values("clean").values[:, None], options.steer != 0
    own = np.where(is_steered | ((activation != 0) & (options.factor != 1)), result.values("effect").values, 0.0)
    stronger = _as_strong(own, effects, np.isfinite(effects) & (is_steered | active))
    values: dict[str, Any] = {str(name): array.values for name, array in result.data.data_vars.items()}
    values |= {
        "feature": np.array([_name(dictionary.site, own) for own in sets], dtype=object),
        "density": [float(density[own].mean()) for own in sets],
        "activation": activation,
        "as_strong": stronger,
        "control": effects,
        "control_active": active,
        **_describe(dictionary.site, controls, density, options.draws),
    }
    return FeatureAblation.of(
        prompts, values, unit=metric.unit if metric else "", measured=result.measured, sign=result.sign,
        facts=dictionary.facts | {"densities": frequencies.windows},
    )  # fmt: skip


def _describe(
    site: Site, controls: Sequence[Any], density: Float[Tensor, "feature"], draws: int
) -> dict[str, np.ndarray]:
    """The controls' names and densities; empty and NaN where there are fewer than `draws`."""
    names = [[_name(site, draw) for draw in row] + [""] * (draws - len(row)) for row in controls]
    shares = [[float(density[draw].mean()) for draw in row] + [np.nan] * (draws - len(row)) for row in controls]
    return {"control_feature": np.array(names, dtype=object), "control_density": np.array(shares, dtype=float)}


def _active(
    size: Float[Tensor, "batch feature"], controls: Sequence[Any], draws: int
) -> Bool[np.ndarray, "batch draw"]:
    """Which of the controls are active where the change is made."""
    active = np.zeros((len(size), draws), dtype=bool)
    for row, row_controls in enumerate(controls):
        active[row, : len(row_controls)] = [bool((size[row, draw] != 0).any()) for draw in row_controls]
    return active


def _as_strong(
    own: Float[np.ndarray, "batch"], effects: Float[np.ndarray, "batch draw"], mask: Bool[np.ndarray, "batch draw"]
) -> Float[np.ndarray, "batch"]:
    """The share of the draws that count whose effect is at least as large; NaN for none, or where nothing was done."""
    stronger = (np.abs(effects) >= np.abs(own)[:, None]) & mask
    share = stronger.sum(1) / np.maximum(mask.sum(1), 1)
    return np.where(mask.any(1) & (own != 0), share, np.nan)


class _Change:
    """Edits that do to some features of every row what the options say."""

    def __init__(self, dictionary: Attached, options: FeatureAblationOptions) -> None:
        self.dictionary, self.options = dictionary, options
        self.norms = decoder_rows(dictionary).norm(dim=-1)

    def edit(
        self, features: Sequence[Sequence[int]], stands_for: Sequence[Sequence[int]], places: Bool[Tensor, "row pos"]
    ) -> Edit:
        """One row of features for every prompt that is run; what is added has the norm of what they stand for."""
        model, count = self.dictionary.model, len(self.norms)
        factor = torch.ones(len(features), 1, count, dtype=model.dtype, device=model.device)
        shift = torch.zeros_like(factor)
        for row, (own, other) in enumerate(zip(features, stands_for, strict=True)):
            factor[row, 0, own] = self.options.factor
            shift[row, 0, own] = (self.options.steer * self.norms[other] / self.norms[own]).to(shift)
        where = places.to(model.device)[..., None]
        return self.dictionary.splice(lambda now: torch.where(where, now * factor + shift, now))


def _control_values(
    model: HookedModel,
    prompts: Prompts,
    metric: Metric | None,
    change: _Change,
    sets: Sequence[Sequence[int]],
    controls: Sequence[Sequence[Sequence[int]]],
    places: Bool[Tensor, "batch pos"],
    stream: Float[Tensor, "batch pos d_model"],
) -> Float[np.ndarray, "batch draw"]:
    """The metric with each control in the place of the features; NaN where there is none, or nothing was asked."""
    values = np.full((len(prompts), change.options.draws), np.nan)
    if metric is None:
        return values
    jobs = [(row, draw) for row, draws in enumerate(controls) for draw in range(len(draws))]
    step = step_of(prompts)
    starts = range(0, len(jobs), step)
    for start in track(starts, total=len(starts), label="feature-ablation: controls"):
        some = jobs[start : start + step]
        rows = [row for row, _ in some]
        many = prompts[rows]
        edit = change.edit(
            [controls[row][draw] for row, draw in some], [sets[row] for row in rows], places[rows, : many.width]
        )
        part = metric.select(rows)
        into = (change.dictionary.site.layer or 0, stream[rows, : many.width])
        with torch.no_grad():
            value = part.of_rows(model.run(many, edits=[edit], answer=part, start=into).logits)
        values[rows, [draw for _, draw in some]] = value.double().cpu().numpy()
    return values


def _places(model: HookedModel, prompts: Prompts, position: int | None) -> Bool[Tensor, "batch pos"]:
    """Where features are changed."""
    if position is None:
        return prompts.mask
    at = chosen_positions("feature-ablation", model, prompts, position)
    return torch.arange(prompts.width) == at[:, None]


def _features_of(
    dictionary: Attached, prompts: Prompts, features: Float[Tensor, "batch pos feature"],
    options: FeatureAblationOptions,
) -> list[list[int]]:  # fmt: skip
    if options.features:
        return [list(dict.fromkeys(options.features))] * len(prompts)
    where = ANSWER if options.position is None else options.position
    at = chosen_positions("feature-ablation", dictionary.model, prompts, where)
    active = features[torch.arange(len(prompts)), at]
    return [[feature] for feature in most_active("feature-ablation", "features", dictionary, active, at).tolist()]


def _name(site: Site, features: Sequence[int]) -> str:
    """Features as nodes, `f18.z.7`."""
    return " ".join(str(Node("f", site.layer or 0, feature, site.name)) for feature in features)


def _words(options: FeatureAblationOptions, sets: Sequence[Sequence[int]]) -> str:
    one = len({tuple(own) for own in sets}) == 1
    which = f"feature {' '.join(map(str, sets[0]))}" if one else "each prompt's most active feature"
    changes = [] if options.factor == 1 else [f"times {options.factor:g}"]
    changes += [f"plus {options.steer:g}"] if options.steer else []
    where = "" if options.position is None else " at one position"
    return f"{which} {' and '.join(changes) or 'left as it is'}{where}"
