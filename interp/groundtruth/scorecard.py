"""The scorecard: how well every engine finds what is known of the models of known truth."""

import hashlib
import json
import shutil
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import asdict
from dataclasses import dataclass as plain_dataclass
from functools import cached_property, partial
from importlib.metadata import version
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.errors import EngineError, InterpError, ModelError
from interp.core.folders import RunFolder
from interp.core.intervals import percentile_interval
from interp.core.options import Repeats, Seed
from interp.core.paths import typed_path
from interp.core.progress import Counter, reporting
from interp.core.prompts import Prompts
from interp.groundtruth.scoring import Draws, Score, Scoring, method_labels, settings_of, version_of
from interp.groundtruth.truth import folder_of, names
from interp.kinds import Scorecard
from interp.models.hooked import HookedModel
from interp.models.sources import cache_folder

DTYPE = "float64"  # so that no rounding passes for an effect
_NUMBERS = ("auc", "average_precision", "precision", "static_auc", "static_average_precision", "static_precision")
_COUNTS = ("candidates", "true", "scored", "cost", "error")
_OVERALL = ("auc", "average_precision", "precision", "static_auc")
_RESAMPLES = 1000
Task = tuple[str, str]


@dataclass(frozen=True)
class ScorecardOptions:
    """The prompts, the methods, and how the work is shared out."""

    n: Repeats = Field(8, description="pairs of prompts in a draw")
    draws: Repeats = Field(3, description="draws of prompts")
    seed: Seed = Field(0, description="seed of the first draw; each further one has the next")
    methods: tuple[str, ...] = Field(
        (), description="engines to score (name, or name:option=value); by default all that find anything"
    )
    workers: int = Field(0, ge=0, le=4096, description="number of Ray workers (pip install 'interp[ray]'); 0: none")
    address: str = Field("", description="address of a Ray cluster, ray://HOST:PORT; by default on this machine")
    resume: bool = Field(False, description="resume a run that was stopped or killed")
    folder: str = Field("", description="folder for scores while a run is not finished; by default one in the cache")


@plain_dataclass(frozen=True)
class Collection:
    """All models of known truth, as what an engine runs over."""

    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is called in results."""
        return f"{len(self.names)} models of known truth"

    @cached_property
    def weight_hash(self) -> str:
        """What tells the collection from one of other models, weights or truth."""
        versions = "".join(version_of(name, DTYPE, Draws()) for name in self.names)
        return hashlib.blake2b(versions.encode(), digest_size=8).hexdigest()


def collection(*models: str) -> Collection:
    """The named models of known truth, or all: what `scorecard` runs over. Raises: ModelError for another."""
    if unknown := next((model for model in models if model not in names()), None):
        raise ModelError(f"nobody knows the circuit of {unknown}; it is known of {', '.join(names())}")
    return Collection(models or names())


def _obstacle(model: HookedModel | Collection) -> str | None:
    if isinstance(model, Collection) or (model.program and (folder_of(model) / "truth.json").is_file()):
        return None
    return "nobody knows its circuit; use a model such as rasp/sort, or all with interp.groundtruth.collection()"


def _nothing(model: HookedModel | Collection, options: ScorecardOptions) -> Prompts:
    """Prompts that nobody reads: every draw makes its own."""
    import torch

    return Prompts((), torch.zeros(0, 0, dtype=torch.long), torch.zeros(0, 0, dtype=torch.bool), ())


@engine(obstacle=_obstacle, default_prompts=_nothing, collection=collection)
def scorecard(model: HookedModel, prompts: Prompts, options: ScorecardOptions) -> Scorecard:
    """How well each engine finds the tokens, nodes, edges or features that the answer of a known model depends on.

    Score every engine whose kind of result finds something, on one model of known truth or on a `collection` of them.

    Candidates rank by the size of their mean over prompts (tokens: of each prompt's own); a search's edges by its
    decisions first. True are: edges that change a logit when they alone are resampled; heads and MLPs at their ends;
    tokens whose change alone, to some other symbol, changes what the program gives at the answer; axes of the stream in
    the middle, as features of a dictionary made of them, that move a logit when they alone are resampled. Shares of the
    stream into the first layer are compared with those of every symbol at every position. `static_…`:
    all edges, and their ends, that could carry anything. `random` is what a random order scores on average, exactly;
    `magnitude` ranks by size whatever the answer: norms of what stands in the stream first, of what nodes write, that
    times the norm of the matrix that reads it, or of features. Axes `model method`, and `draw`; the prompt is not read.
    An engine that refuses a model has its `reason` there. Intervals resample models, and draws within each.

    Unit: none (each score is from 0 to 1); costs in forward passes.
    Raises: ResultError for a folder of another collection or other options; OptionError for an unknown method;
    CorpusError if Ray is asked for and does not run.
    Source: Gupta et al. 2024, "InterpBench"; Mueller et al. 2025, "MIB" (InterpBench AUROC).
    Differs: ties in expectation; methods run with their own options but for `settings`, and searches are ranked by
    their decisions at one threshold instead of a sweep.
    """
    draws = Draws(options.n, options.draws, options.seed)
    dtype = DTYPE if isinstance(model, Collection) else str(model.dtype).removeprefix("torch.")
    models = model.names if isinstance(model, Collection) else (model.name,)
    versions = {name: version_of(name, dtype, draws) for name in models}
    labels = method_labels(options.methods)
    tasks = [(name, label) for name in models for label in labels]
    job = _Job(options, {"version": version("interp"), "models": versions, "methods": list(labels), **asdict(draws)})
    loaded = None if isinstance(model, Collection) else model
    with job.locked():
        scores = job.run(tasks, partial(Scoring, draws, dtype), loaded)
        job.finish()
    return _assembled(prompts, scores, versions, labels, draws)


class _Job(RunFolder):
    """Scores, a file each, while a run is not finished."""

    def __init__(self, options: ScorecardOptions, question: Mapping[str, Any]) -> None:
        digest = hashlib.blake2b(json.dumps(question).encode(), digest_size=8).hexdigest()
        self._own = not options.folder
        super().__init__(cache_folder("scorecards") / digest if self._own else typed_path(options.folder))
        self._options, self._question = options, question

    def run(self, tasks: list[Task], make: Any, loaded: HookedModel | None) -> dict[Task, Score]:
        """The scores of all tasks, those that are there already among them.

        Raises: ResultError where what is there is of another run.
        """
        there = self.record("question.json", dict)
        if there is not None and self._options.resume:
            self.require_same(there, self._question)
        elif there is not None:
            for file in self.path.glob(f"{'[0-9a-f]' * 16}.json"):
                file.unlink()
        self.write_record("question.json", self._question)
        scores = {task: score for task in tasks if (score := self.record(_file(task), Score)) is not None}
        missing = [task for task in tasks if task not in scores]
        counter = Counter("scorecard", len(tasks))
        counter.add(len(scores))
        with closing(self._results(missing, make, loaded)) as results:
            # An engine's own progress says nothing here, but may be where the work is cancelled.
            with reporting(lambda *step: counter.add(0)):
                for task, score in results:
                    self.write_record(_file(task), asdict(score))
                    scores[task] = score
                    counter.add(1)
        return scores

    def _results(
        self, missing: list[Task], make: Any, loaded: HookedModel | None
    ) -> Generator[tuple[Task, Score], None, None]:
        if self._options.workers or self._options.address:
            from interp.corpus.on_ray import TRIES, shared_out

            def failure(task: Task, reason: str) -> InterpError:
                return EngineError(
                    f"{task[1]} on {task[0]} failed {TRIES} times on Ray ({reason}); run without workers"
                )

            todo = {task: lambda task=task: task for task in missing}
            yield from shared_out(make, todo, failure, self._options.workers, self._options.address or None)
            return
        worker = make(loaded)
        for task in missing:
            yield task, worker.work(*task)

    def finish(self) -> None:
        """Remove what is only there in case of a kill; a folder of the user's own stays."""
        if self._own:
            shutil.rmtree(self.path, ignore_errors=True)


def _file(task: Task) -> str:
    return f"{hashlib.blake2b(' '.join(task).encode(), digest_size=8).hexdigest()}.json"


def _assembled(
    prompts: Prompts, scores: Mapping[Task, Score], versions: Mapping[str, str], labels: Mapping[str, str], draws: Draws
) -> Scorecard:
    shape = len(versions), len(labels)
    cells = [[scores[name, label] for label in labels] for name in versions]
    every = np.full((len(_NUMBERS), *shape, draws.draws), np.nan)
    values: dict[str, Any] = {name: np.full(shape, np.nan) for name in _COUNTS}
    for (row, column), cell in ((place, cells[place[0]][place[1]]) for place in np.ndindex(shape)):
        for draw, numbers in enumerate(cell.draws):
            every[:, row, column, draw] = [numbers[name] for name in _NUMBERS]
        for name, value in cell.counts.items():
            values[name][row, column] = value
    values |= {name: _mean(numbers, -1) for name, numbers in zip(_NUMBERS, every, strict=True)}
    values |= {"reason": np.array([[cell.reason for cell in row] for row in cells], dtype=object)}
    values |= {"draw_auc": every[0]}
    for name in _OVERALL:
        values[f"overall_{name}"], values[f"overall_{name}_interval"] = _overall(every[_NUMBERS.index(name)])
    values["overall_cost"] = np.array([np.median(c) if (c := column[~np.isnan(column)]).size else np.nan
                                       for column in values["cost"].T])  # fmt: skip
    values["overall_error"] = np.fmax.reduce(values["error"], 0)
    values["models"] = (~np.isnan(values["auc"]) | ~np.isnan(values["error"])).sum(0)
    engines, settings = zip(*map(settings_of, labels), strict=True)
    return Scorecard.of(
        prompts,
        values,
        measured=f"how well methods find what is known of {len(versions)} models, on {draws.draws} draws of {draws.n} "
        "pairs of prompts",
        sign="each score from 0 to 1; higher: true ones rank before the others",
        model=list(versions),
        version=("model", list(versions.values())),
        method=list(labels),
        finds=("method", list(labels.values())),
        engine=("method", list(engines)),
        settings=("method", list(settings)),
    )


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """The mean of what is there; NaN where nothing is."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0).sum(axis) / there.sum(axis)


def _overall(
    values: Float[np.ndarray, "model method draw"],
) -> tuple[Float[np.ndarray, "method"], Float[np.ndarray, "method two"]]:
    """Each method's mean over the models that have one, and its interval: models, and draws within each, resampled."""
    mean, interval = np.full(values.shape[1], np.nan), np.full((values.shape[1], 2), np.nan)
    for column in range(values.shape[1]):
        by_model = _mean(values[:, column], -1)
        there = ~np.isnan(by_model)
        # A draw without a score counts as its model's mean: every model counts alike, in the mean and in each resample.
        own = np.where(np.isnan(values[there, column]), by_model[there, None], values[there, column])
        count, draws = own.shape
        if count:
            mean[column] = own.mean()
        if count > 1:
            random = np.random.default_rng(0)
            models = random.integers(0, count, (_RESAMPLES, count, 1))
            samples = own[models, random.integers(0, draws, (_RESAMPLES, count, draws))]
            interval[column] = percentile_interval(samples.mean((1, 2)))
    return mean, interval
