"""Means over a data set: what an engine gives for each prompt, summed up in shards that merge and resume."""

import dataclasses
import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

from interp.core.engine import EngineSpec
from interp.core.errors import EngineError, PromptError
from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import Result
from interp.corpus.gathering import gather
from interp.corpus.sums import Sums, Totals
from interp.models.hooked import HookedModel

POSITIONS = ("pos", "query_pos", "key_pos")
_SQUARES, _COUNTS = "²", "#"
_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class EngineSums:
    """Every number of an engine's result summed over prompts: Σx, Σx² and how many were numbers.

    Each prompt keeps a hash of the result's labels, since only cells of the same labels may be added up.
    """

    engine: EngineSpec
    options: str
    question: str

    @property
    def name(self) -> str:
        """That of the engine."""
        return f"mean-{self.engine.name}"

    def settings(self) -> dict[str, int | float | str]:
        """Options and answers: other ones have other sums."""
        return {"options": self.options, "question": self.question}

    def measure(
        self, model: HookedModel, windows: Prompts | PromptPairs, first: int, into: Totals | None = None
    ) -> Sums:
        """The sums of some prompts."""
        with torch.enable_grad():  # as an engine that is called by itself has it
            result = self.engine(model, windows, **json.loads(self.options))
        _require_rows(self.engine, result.data)
        sums = Sums({})
        for name, array in result.data.data_vars.items():
            values = np.moveaxis(array.values.astype(float), array.dims.index("batch"), 0)
            there = ~np.isnan(values)
            numbers = np.where(there, values, 0.0)
            sums.totals |= {
                str(name): numbers.sum(0), f"{name}{_SQUARES}": np.square(numbers).sum(0),
                f"{name}{_COUNTS}": there.sum(0),
            }  # fmt: skip
        sums.rows = {"labels": np.full(len(windows), _hash_of_labels(result.data))}
        if into is None:
            return sums
        whole = Sums(into, sums.rows)
        whole.add(sums)
        return whole


@dataclass(frozen=True)
class DataSetMean:
    """An engine's mean over a data set, and its standard error over prompts: results of the engine's kind, of one row.

    Either can be saved and drawn as any result is; a circuit is chosen from the mean as from a single prompt.
    """

    mean: Result
    standard_error: Result
    prompts: int

    def summary(self, table: str | None = None) -> pd.DataFrame:
        """A tidy table of the means, each with its 95 % interval (normal) in `…_low` and `…_high`.

        `table` is one of the kind's `tables`; without it, the main one.
        """
        frame, errors = self.mean.to_frame(table), self.standard_error.to_frame(table)
        for name in [name for name in frame if name in self.mean.data.data_vars]:
            place = int(frame.columns.get_loc(name)) + 1  # pyright: ignore[reportArgumentType]
            half = _NORMAL_95 * errors[name]
            frame.insert(place, f"{name}_low", frame[name] - half)
            frame.insert(place + 1, f"{name}_high", frame[name] + half)
        return frame


def mean_over(engine: EngineSpec, model: HookedModel, prompts: Prompts | PromptPairs, **options: Any) -> DataSetMean:
    """The mean of what `engine` gives for each prompt, as sums over shards.

    Inside `with interp.corpus.job(folder=…, workers=…)` the sums are kept, resumed and shared out. Where the engine
    gives numbers for token positions, all prompts must have the same length. A cell that is NaN for a prompt does not
    count it.
    Unit: that of the engine.
    Raises: EngineError for an engine whose result is over all prompts already; PromptError for prompts of different
    lengths where positions count; CorpusError as `gather` does; what the engine raises.
    """
    settings = engine.parse_options(options)
    text = json.dumps(dataclasses.asdict(settings), sort_keys=True)
    template = _one_row(engine(model, prompts[_unlike(prompts)], **options))
    _require_rows(engine, template.data)
    _require_one_length(engine, template.data, prompts.clean)
    gathered = gather(model, prompts, EngineSums(engine, text, _hash_of_question(prompts)))
    labels = gathered.rows("labels")
    other = np.flatnonzero(labels != labels[0])
    if len(other):
        raise EngineError(
            f"{engine.name}: prompt {other[0]} has cells of other names than prompt 0, so there is no mean of them; "
            "ask for every prompt's own numbers"
        )
    return _of_sums(template, gathered.totals, prompts)


def _unlike(prompts: Prompts | PromptPairs) -> list[int]:
    """The first prompt, and the first one of another question: what is measured is then told of any answer."""
    metric = prompts.metric
    if metric is None:
        return [0]
    questions = list(zip(metric.targets, metric.contrasts or metric.targets, strict=True))
    return [0, *(row for row, question in enumerate(questions) if question != questions[0])][:2]


def _one_row(result: Result) -> Result:
    return dataclasses.replace(result, data=result.data.isel(batch=[0])) if "batch" in result.data.dims else result


def _of_sums(template: Result, totals: Totals, prompts: Prompts | PromptPairs) -> DataSetMean:
    means, errors = {}, {}
    for name, array in template.data.data_vars.items():
        count, axis = totals[f"{name}{_COUNTS}"], array.dims.index("batch")
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = totals[str(name)] / count
            spread = np.maximum(totals[f"{name}{_SQUARES}"] - count * mean**2, 0)
            error = np.sqrt(spread / (count * (count - 1.0)))
        means[name] = array.copy(data=np.expand_dims(mean, axis))
        errors[name] = array.copy(data=np.expand_dims(error, axis))
    words = f"mean over {len(prompts):,} prompts"
    coordinates: dict[str, Any] = {"prompt": ("batch", np.array([words], dtype=object))}
    shared = np.array([_shared_labels(prompts.clean)], dtype=object)
    for name in ("token", "query_token", "key_token"):
        if name in template.data.coords:
            coordinates[name] = (template.data[name].dims, shared)
    provenance = dataclasses.replace(template.provenance, prompt_hash=prompts.hash)

    def result(values: dict[Any, xr.DataArray], what: str) -> Result:
        data = template.data.assign(values).assign_coords(coordinates)
        data.attrs["measured"] = f"{what} over {len(prompts):,} prompts: {template.measured}"
        return type(template)(data, provenance)

    return DataSetMean(result(means, "mean"), result(errors, "standard error"), len(prompts))


def _shared_labels(prompts: Prompts) -> list[str]:
    """The token that all prompts have at a position, or `…`."""
    return [column[0] if len({*column}) == 1 else "…" for column in zip(*prompts.labels, strict=True)]


def _require_rows(engine: EngineSpec, data: xr.Dataset) -> None:
    whole = [str(name) for name, array in data.data_vars.items() if "batch" not in array.dims]
    if whole:
        raise EngineError(
            f"{engine.name} gives {whole[0]} over all prompts already; run it without a mean over prompts"
        )
    words = [str(name) for name, array in data.data_vars.items() if array.dtype.kind not in "fib"]
    if words:
        raise EngineError(f"{engine.name} gives words ({words[0]}), which have no mean; ask for every prompt's own")


def _require_one_length(engine: EngineSpec, data: xr.Dataset, prompts: Prompts) -> None:
    if {*POSITIONS} & {*data.dims} and prompts.is_padded:
        lengths = prompts.mask.sum(-1)
        raise PromptError(
            f"{engine.name} gives numbers for token positions, and the prompts have {int(lengths.min())} to "
            f"{int(lengths.max())} tokens; give prompts of one length, such as those of one template, or, where the "
            "engine has any, options without positions"
        )


def _hash_of_labels(data: xr.Dataset) -> int:
    """Of what names the cells, prompts and their tokens aside."""
    digest = blake2b(digest_size=7)
    for name, coordinate in sorted(data.coords.items(), key=str):
        if "batch" not in coordinate.dims:
            digest.update(f"{name}{coordinate.values.tolist()}".encode())
    return int.from_bytes(digest.digest(), "big")


def _hash_of_question(prompts: Prompts | PromptPairs) -> str:
    return blake2b(repr(prompts.metric).encode(), digest_size=8).hexdigest()
