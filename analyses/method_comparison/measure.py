"""The agreement benchmark by method, and faithfulness a few prompts at a time, each part saved once done."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import stats

import interp
from analyses.keeping import is_of, load_or_make
from interp.core.errors import ResultError
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.core.result import Provenance, Result
from interp.kinds import Faithfulness, MethodScores
from interp.models import HookedModel

METHODS = (
    "attnlrp", "cp-lrp", "gradient-x-input", "integrated-gradients", "gim", "cdt", "decompx", "alti-logit", "rollout",
    "chefer",
)  # fmt: skip
EVIDENCE = ("mrr", "rma", "pointing", "pointing_k")
FAITHFUL = {"comprehensiveness": 1, "sufficiency": -1, "deletion_auc": -1, "insertion_auc": 1}  # +1: higher is better
PROMPTS_AT_ONCE = 5


def scores(model: HookedModel, items: Prompts, methods: Sequence[str], folder: Path) -> MethodScores:
    """`sva-benchmark` of every method, a file for each."""
    parts = []
    for name in track(methods, len(methods), "methods"):
        make = lambda name=name: interp.evaluation.sva_benchmark(model, items, methods=(name,))  # noqa: E731
        parts.append(load_or_make(folder / f"{name}.nc", MethodScores, model, items, make))
    # Names of unlike lengths: as words of fixed width, the first part's would cut the others'.
    datasets = [part.data.assign_coords(method=part.data["method"].astype(object)) for part in parts]
    columns = [data.isel(method=[0]) for data in datasets] + [datasets[0].isel(method=slice(1, None))]
    data = xr.concat(columns, "method", data_vars="minimal", coords="minimal", compat="override", join="override")
    assert isinstance(data, xr.Dataset)
    return MethodScores(data, _origin(parts, methods))


def read_scores(path: Path, model: HookedModel, items: Prompts, methods: Sequence[str]) -> MethodScores:
    """A saved result of `sva-benchmark`. Raises: ResultError if it is of another model, sentences or methods."""
    result = Result.load(path)
    if not isinstance(result, MethodScores) or not is_of(result, model, items):
        raise ResultError(f"{path} is not sva-benchmark of these sentences on {model.name}; give the same n and seed")
    missing = set(methods) - set(result.data["method"].values.tolist())
    if missing:
        raise ResultError(f"{path} has no scores of {', '.join(sorted(missing))}; leave them out, or score them again")
    return result


def right_rows(scores: MethodScores, most: int) -> list[int]:
    """The first prompts that the model gets right."""
    return np.flatnonzero(scores.values("correct").values)[:most].tolist()


def faithfulness(model: HookedModel, prompts: Prompts, methods: Sequence[str], folder: Path) -> Faithfulness:
    """`faithfulness` of every method, a file for every few prompts."""
    parts = []
    batches = range(0, len(prompts), PROMPTS_AT_ONCE)
    for first in track(batches, len(batches), "prompts"):
        few = prompts[first : first + PROMPTS_AT_ONCE]
        make = lambda few=few: interp.evaluation.faithfulness(model, few, methods=tuple(methods))  # noqa: E731
        parts.append(load_or_make(folder / f"{first:04}-{len(few)}.nc", Faithfulness, model, few, make))
    data = xr.concat([part.data for part in parts], "batch").assign_coords(batch=np.arange(len(prompts)))
    return Faithfulness(data, _origin(parts, methods))


def _origin(parts: Sequence[Result], methods: Sequence[str]) -> Provenance:
    first = parts[0].provenance
    seconds = round(sum(part.provenance.seconds for part in parts), 1)
    return replace(first, options={**first.options, "methods": list(methods)}, seconds=seconds)


def rank_agreement(
    evidence: MethodScores, faithful: Faithfulness, methods: Sequence[str], *, resamples: int = 2000, seed: int = 0
) -> Iterator[tuple[str, str, float, float, float]]:
    """For every two scores: Spearman's correlation, over methods, of their means over the same prompts.

    The interval is the percentile bootstrap over prompts, both scores resampled together. Scores of faithfulness are
    signed so that higher is better: above 0, methods that find the evidence are the ones that look faithful.
    """
    count = evidence.data.sizes["batch"]
    rows = np.random.default_rng(seed).integers(count, size=(resamples, count))
    rows = np.concatenate([np.arange(count)[None], rows])  # the sample itself first
    for one in EVIDENCE:
        left = evidence.values(one).sel({"method": list(methods)}).values
        for other, sign in FAITHFUL.items():
            right = sign * faithful.values(other).sel({"method": list(methods)}).values
            correlations = spearman(left[rows].mean(1), right[rows].mean(1))
            low, high = np.nanpercentile(correlations[1:], [2.5, 97.5])
            yield one, other, float(correlations[0]), float(low), float(high)


def spearman(
    left: Float[np.ndarray, "sample method"], right: Float[np.ndarray, "sample method"]
) -> Float[np.ndarray, "sample"]:
    """Spearman's correlation of the two rows of every sample: Pearson's, of their ranks."""
    ranks = [stats.rankdata(values, axis=1) for values in (left, right)]
    one, other = (values - values.mean(1, keepdims=True) for values in ranks)
    with np.errstate(invalid="ignore"):
        return (one * other).sum(1) / np.sqrt((one**2).sum(1) * (other**2).sum(1))
