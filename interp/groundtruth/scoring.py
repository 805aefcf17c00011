"""The score of one method on one model: a task that any process can do."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from interp.core.errors import Cancelled, InterpError
from interp.core.method import Method
from interp.core.options import Repeats, Seed
from interp.core.prompts import PromptPairs, Prompts
from interp.core.ranking import detection
from interp.groundtruth.cost import Multiplications
from interp.groundtruth.finding import (
    BASELINES,
    SETTINGS,
    Strengths,
    finders,
    magnitudes,
    random_strengths,
    strengths,
)
from interp.groundtruth.planted import largest_error, planted_shares, share_prompts
from interp.groundtruth.questions import RANKED, Question, questions
from interp.groundtruth.truth import folder_of
from interp.models.hooked import HookedModel
from interp.models.load import load
from interp.tasks import program as program_task

_DIGITS = 9  # of the largest strength: what differs by less is rounding
_FILES = ("model.safetensors", "truth.json", "config.json")


@dataclass(frozen=True)
class Draws:
    """The prompts that methods are scored on: `draws` sets of `n` pairs, by the seeds from `seed` on."""

    n: Repeats = 8
    draws: Repeats = 3
    seed: Seed = 0


@dataclass(frozen=True)
class Score:
    """One method on one model: the numbers of every draw by name, and the reason where they are undefined."""

    reason: str = ""
    draws: list[dict[str, float]] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)


def version_of(model: str | HookedModel, dtype: str, draws: Draws) -> str:
    """What tells a model, its truth, its precision and its prompts from others."""
    digest = hashlib.blake2b(f"{dtype} {draws}".encode(), digest_size=8)
    for name in _FILES:
        digest.update((Path(folder_of(model)) / name).read_bytes())
    return digest.hexdigest()


def method_labels(names: Sequence[str]) -> dict[str, str]:
    """Every method that is scored, the named ones or all, and what each finds; baselines last.

    Raises: OptionError for one that there is not, or that finds nothing.
    """
    every = finders()
    asked = [Method.of(name, every, "engine that finds anything") for name in names or [each.name for each in every]]
    found = {method.label: method.engine.result.finds for method in asked}
    ordered = {label: finds for finds in (*RANKED, "shares") for label, other in found.items() if other == finds}
    return ordered | {f"{name} {finds}": finds for finds in RANKED if finds in found.values() for name in BASELINES}


def settings_of(label: str) -> tuple[str, str]:
    """A method's engine, and in words the options that are not its own; a baseline has neither."""
    if is_baseline(label):
        return "", ""
    method = Method.of(label, finders())
    options = SETTINGS.get(method.engine.name, {}) | method.options
    return method.engine.name, ", ".join(f"{name} = {json.dumps(value)}" for name, value in options.items())


class Scoring:
    """Scores methods on models, which it loads; the last one stays loaded."""

    def __init__(self, draws: Draws, dtype: str, loaded: HookedModel | None = None) -> None:
        self._draws, self._dtype, self._model = draws, dtype, loaded

    def work(self, name: str, label: str) -> Score:
        """One method on one model. What the method refuses is the score's reason."""
        if self._model is None or self._model.name != name:
            self._model = load(name, dtype=self._dtype, device="cpu")
        return score(self._model, label, self._draws)


def score(model: HookedModel, label: str, draws: Draws) -> Score:
    """How well a method finds what is true of a model, on every draw of prompts."""
    method = None if is_baseline(label) else Method.of(label, finders())
    finds = label.partition(" ")[2] if method is None else method.engine.result.finds
    by_draw: list[dict[str, float]] = []
    counts: dict[str, float] = {}
    try:
        if method is not None and finds == "shares":
            return _of_shares(method, model)
        for draw in range(draws.draws):
            pairs = program_task(model, n=draws.n, seed=draws.seed + draw)
            asked = questions(model, finds, pairs)
            with nullcontext() if draw else Multiplications() as work:  # once, since counting takes time
                answers = _answers(method or label, model, finds, pairs, asked)
            if work is not None:
                counts = {"cost": work.total / _forward(model, pairs.clean), **_counts(asked, answers)}
            by_draw.append(_numbers(asked, answers))
    except Cancelled:
        raise
    except InterpError as error:
        return Score(str(error))
    undefined = all(np.isnan(numbers["auc"]) for numbers in by_draw)
    return Score(_undefined(finds, asked) if undefined else "", by_draw, counts)


def _answers(
    method: Method | str, model: HookedModel, finds: str, pairs: PromptPairs, asked: list[Question]
) -> list[Strengths]:
    if isinstance(method, Method):
        return strengths(method, model, pairs)
    return random_strengths(asked) if method.startswith("random") else magnitudes(model, finds, pairs.clean)


def _of_shares(method: Method, model: HookedModel) -> Score:
    """How far what a method recovers is from what is planted: the same in every draw."""
    prompts, options = share_prompts(model), {**method.options}
    with Multiplications() as work:
        result = method.engine(model, prompts, **options)
    counts = {"error": largest_error(result, planted_shares(model)), "cost": work.total / _forward(model, prompts)}
    return Score("it recovers numbers, which have an error and no rank", counts=counts)


def _forward(model: HookedModel, prompts: Prompts) -> int:
    with torch.no_grad(), Multiplications() as work:
        model.logits(prompts)
    return work.total


def _counts(asked: list[Question], answers: list[Strengths]) -> dict[str, float]:
    candidates = sum(len(question.candidates) for question in asked)
    scored = sum(len(answer.keys() & {*question.candidates}) for question, answer in zip(asked, answers, strict=True))
    true = sum(len(question.effective) for question in asked)
    return {"candidates": candidates, "true": true, "scored": scored / candidates if candidates else np.nan}


def _numbers(asked: list[Question], answers: list[Strengths]) -> dict[str, float]:
    """Means over the questions that can be answered well or badly."""
    numbers: dict[str, list[float]] = {}
    for question, answer in zip(asked, answers, strict=True):
        sizes = _ordered(question.candidates, answer)
        for prefix, truth in (("", question.effective), ("static_", question.static or frozenset())):
            found = detection(sizes, np.array([name in truth for name in question.candidates], dtype=bool))
            for name, value in found._asdict().items():
                numbers.setdefault(prefix + name, []).append(value)
    there = {name: [value for value in values if not np.isnan(value)] for name, values in numbers.items()}
    return {name: float(np.mean(values)) if values else np.nan for name, values in there.items()}


def _ordered(candidates: tuple[str, ...], answer: Strengths) -> np.ndarray:
    """The candidates' strengths, rounded; below all others where a method says nothing."""
    sizes = np.nan_to_num([answer.get(name, -1.0) for name in candidates], nan=-1.0)
    return np.round(sizes / (sizes.max(initial=0) or 1), _DIGITS)


def _undefined(finds: str, asked: list[Question]) -> str:
    if not any(question.effective for question in asked):
        return f"none of the {finds} has an effect"
    return f"no prompt has {finds} both with and without an effect" if len(asked) > 1 else f"all {finds} have an effect"


def is_baseline(label: str) -> bool:
    """Whether a method is a baseline: `random edges`."""
    return label.partition(" ")[0] in BASELINES
