"""Quality of a dictionary over a corpus: reconstruction, loss recovered, probing and densities."""

from collections.abc import Sequence
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.errors import CorpusError, DictionaryError
from interp.core.options import Count, Index
from interp.core.prompts import Prompts
from interp.corpus.options import CorpusOptions, windows_of
from interp.dictionaries.quality.activity import Activity, activity, encoder_cosines, nearest_cosines
from interp.dictionaries.quality.fidelity import ABLATIONS, Fidelity, Score, fidelity, recovered
from interp.dictionaries.quality.probing import Probes
from interp.dictionaries.quality.recovery import spread
from interp.dictionaries.sae.attached import Attached
from interp.dictionaries.sae.catalogue import DictionaryOptions, attached
from interp.kinds import DictionaryQuality
from interp.models.hooked import HookedModel

DENSE = 0.1  # of the positions


@dataclass(frozen=True)
class SaeQualityOptions(CorpusOptions, DictionaryOptions):
    """The dictionary, others to compare with, and the text."""

    windows: Count = Field(32, description="number of windows taken from the corpus")
    skip: Index = Field(
        1,
        description="initial positions of every window to leave out, neither replaced nor counted; the first is "
        "often an outlier",
    )
    others: tuple[str, ...] = Field(
        (), description="dictionaries of the same site (names or folders) to compare with, such as other seeds"
    )


@engine(default_prompts=windows_of)
def sae_quality(model: HookedModel, prompts: Prompts, options: SaeQualityOptions) -> DictionaryQuality:
    """How good a dictionary is: reconstruction error, loss recovered, probing, and agreement between seeds.

    Numbers of one dictionary over windows of text, of its features, of sparse probes, and of other seeds beside it.

    Everything is over the positions that count: no padding, and not the first `skip`, which are not replaced either.
    Explained variance is 1 − Σ‖x − x̂‖² / Σ‖x − mean‖². Tables: `features`; `probing`, of properties of tokens that
    the text itself decides, k in 1, 2 and 5; with `others`, `seeds` and `mcc`. A model that predicts no next token has
    KL (a classifier: of its classes, once a window) but no cross entropy.
    Unit: nats for cross entropy and KL; shares, cosines and accuracies from 0 to 1; `l0` features a position.
    Raises: CorpusError where no position is left; DictionaryError for a dictionary of another model or site.
    Source: Kissane et al. 2024, "Interpreting Attention Layer Outputs with Sparse Autoencoders" (L0, CE recovered);
    Karvonen et al. 2025, "SAEBench"; Gurnee et al. 2023 (sparse probing); Song et al. 2025 (MCC).
    Differs: cross entropy is recovered against mean ablation too, with intervals over windows, and NaN where the
    ablation does not raise the loss by more than its noise; probes have a control with shuffled labels.
    """
    dictionaries = [attached(model, name) for name in (options.dictionary, *options.others)]
    _require_one_site(dictionaries)
    mask = prompts.mask & (torch.arange(prompts.width) >= options.skip)
    if not mask.any():
        raise CorpusError(
            f"nothing is left after the first {options.skip} positions; use longer windows, or skip fewer"
        )
    probes = Probes(prompts, mask, seed=options.seed)
    sums = activity(dictionaries, prompts, mask, probes.choose)
    losses = fidelity(dictionaries, prompts, mask, sums.mean, probes.keep)
    features = [_of_features(dictionary, sums, index) for index, dictionary in enumerate(dictionaries)]
    scores = [
        {ablation: recovered(losses, ablation, index, seed=options.seed) for ablation in ABLATIONS}
        for index in range(len(dictionaries))
    ]
    numbers = [
        _of_site(sums, index) | _of_model(losses, index, scores[index]) | _summed_up(features[index])
        for index in range(len(dictionaries))
    ]
    reasons = _undefined_reasons(scores[0], sums)
    more, labels = _probe_results(probes)
    beside, names = _beside(dictionaries, numbers) if options.others else ({}, {})
    facts = {"dictionary": _name(dictionaries[0]), "site": str(dictionaries[0].site)}
    facts |= {"undefined": "; ".join(reasons)} if reasons else {}
    facts |= {"probing_left_out": ", ".join(probes.left_out)} if probes.left_out else {}
    first = f", without the first {options.skip} of each" if options.skip else ""
    return DictionaryQuality.of(
        prompts,
        dict(numbers[0]) | features[0] | more | beside,
        measured=f"{_name(dictionaries[0])} at {dictionaries[0].site} of {model.name}, over {sums.positions:,} "
        f"positions of {len(prompts):,} windows{first}" + "".join(f"; {reason}" for reason in reasons),
        facts=facts,
        **labels,
        **names,
    )


def _require_one_site(dictionaries: Sequence[Attached]) -> None:
    for other in dictionaries[1:]:
        if other.site != dictionaries[0].site:
            raise DictionaryError(
                f"{other.name} is at {other.site}, but {dictionaries[0].name} is at {dictionaries[0].site}; compare "
                "dictionaries of the same site"
            )


def _name(dictionary: Attached) -> str:
    """What a person calls it: a folder by its last part."""
    folder = Path(dictionary.name)
    return folder.name if folder.is_dir() else dictionary.name


def _of_site(sums: Activity, index: int) -> dict[str, float]:
    features = sums.features[index]
    density = features.active / sums.positions
    return {
        "l0": float(density.sum()),
        "explained_variance": 1 - features.missed / sums.variation if _varies(sums) else nan,
        "cosine": features.cosine / sums.positions,
        "dead": float((features.active == 0).double().mean()),
        "dense": float((density > DENSE).double().mean()),
    }


def _varies(sums: Activity) -> bool:
    """Whether the site holds more than one vector; what rounding leaves of a difference of sums is none."""
    return sums.variation > 1e-12 * sums.positions * float(sums.mean @ sums.mean)


def _of_model(losses: Fidelity, index: int, scores: dict[str, Score]) -> dict[str, Any]:
    runs = {"clean": "clean", "spliced": index, "zero": "zero", "mean": "mean"}
    values: dict[str, Any] = {
        f"ce_{name}": losses.mean_loss(run) if losses.next_token else nan for name, run in runs.items()
    }
    for ablation, score in scores.items():
        values |= {f"recovered_{ablation}": score.value, f"recovered_{ablation}_interval": [score.low, score.high]}
    return values | {f"kl_{name}": losses.mean_divergence(run) for name, run in runs.items() if name != "clean"}


def _of_features(dictionary: Attached, sums: Activity, index: int) -> dict[str, np.ndarray]:
    """Numbers of each feature; a feature that was never active has no mean activation."""
    features = sums.features[index]
    mean = torch.where(features.active > 0, features.total / features.active, torch.nan)
    return {
        "density": (features.active / sums.positions).numpy(),
        "activation": mean.numpy(),
        "encoder_cosine": encoder_cosines(dictionary).numpy(),
        "nearest_cosine": nearest_cosines(dictionary.sae.W_dec).numpy(),
    }


def _summed_up(features: dict[str, np.ndarray]) -> dict[str, float]:
    return {f"mean_{name}": float(features[name].mean()) for name in ("encoder_cosine", "nearest_cosine")}


def _undefined_reasons(scores: dict[str, Score], sums: Activity) -> list[str]:
    """What has no number, and why."""
    by_reason: dict[str, list[str]] = {}
    for ablation, score in scores.items():
        by_reason.setdefault(score.undefined, []).append(f"recovered_{ablation}")
    by_reason.pop("", None)
    if not _varies(sums):
        by_reason["the site is constant over the text"] = ["explained_variance"]
    return [f"no {' and '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _probe_results(probes: Probes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The probes' variables and labels; none where no target has examples enough."""
    results = probes.probed()
    if results is None:
        return {}, {}
    scores = {"accuracy": results.accuracy, "shuffled_accuracy": results.shuffled, "raw_accuracy": results.raw}
    labels = {"target": np.array(results.targets, dtype=object), "budget": list(results.budgets)}
    return {**scores, "share": results.share}, labels


def _columns(numbers: dict[str, Any]) -> dict[str, float]:
    """Numbers as a table names them: an interval by its two ends."""
    return {
        column: float(value)
        for name, values in numbers.items()
        for column, value in zip(DictionaryQuality.variables[name].columns, np.atleast_1d(values), strict=True)
    }


def _beside(
    dictionaries: Sequence[Attached], numbers: Sequence[dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The variables and labels of several dictionaries."""
    agreement = spread([dictionary.sae.W_dec for dictionary in dictionaries], [_columns(each) for each in numbers])
    values = {
        "mcc": agreement.mcc,
        "value": agreement.values,
        "value_mean": agreement.mean,
        "value_deviation": agreement.deviation,
    }
    short = [_name(dictionary) for dictionary in dictionaries]
    unlike = len(set(short)) == len(short)
    names = np.array(short if unlike else [dictionary.name for dictionary in dictionaries], dtype=object)
    labels = {"dictionary": names, "other_dictionary": names, "entry": np.array(agreement.entries, dtype=object)}
    return values, labels
