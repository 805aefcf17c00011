"""Which algorithm a model of regression follows: distances between its predictions and those of closed forms."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.progress import track
from interp.kinds import InContextAlgorithms, WeightProbes
from interp.sandbox.lessons import Run
from interp.sandbox.reading import mean_and_ends, result_of
from interp.sandbox.regression.causal import CausalRegressor
from interp.sandbox.regression.lessons import AlgorithmsLesson
from interp.sandbox.regression.predictors import Predictor, least_squares, predictors
from interp.sandbox.regression.prompts import RegressionPrompts, Setting, draw

FRESH = 4  # queries of a linear fit, in multiples of the dimension
_PENALTIES = (1e-2, 1.0, 1e2, 1e4)


def compare(
    methods: Mapping[str, Predictor], setting: Setting, *, prompts: int = 512, counts: Sequence[int] = (), seed: int = 7
) -> InContextAlgorithms:
    """Losses, linearity, SPD and ILWD of predictors by number of examples.

    SPD is E (ŷ_A − ŷ_B)² / d; ILWD is E |ŵ_A − ŵ_B|² / d, where ŵ is the least-squares fit of a predictor's answers to
    fresh queries, and linearity its R².
    Source: Akyürek et al. 2023 (2211.15661), section 4.
    """
    drawn = draw(setting, prompts, torch.Generator().manual_seed(seed))
    number = max(FRESH * setting.dimension, 8)
    queries = draw(replace(setting, examples=number - 1), prompts, torch.Generator().manual_seed(seed + 1)).x
    counts = counts or range(setting.examples + 1)
    each = [_at(methods, drawn, queries, count) for count in track(counts, len(counts), "algorithms: examples")]
    return result_of(
        InContextAlgorithms,
        "algorithms",
        {name: np.stack([values[name] for values in each], _COUNT_AXIS.get(name, -1)) for name in each[0]},
        measured=f"{prompts:,} prompts in {setting.dimension} dimensions, noise {setting.noise:g}",
        method=list(methods),
        other_method=list(methods),
        count=list(counts),
    )


_COUNT_AXIS = {"loss_interval": 1}


def _at(
    methods: Mapping[str, Predictor],
    drawn: RegressionPrompts,
    queries: Float[Tensor, "prompt query dimension"],
    count: int,
) -> dict[str, np.ndarray]:
    x, y, width = drawn.x[:, :count], drawn.y[:, :count], drawn.x.shape[-1]
    everything = torch.cat([drawn.x[:, count : count + 1], queries], 1)
    answers = torch.stack([method(x, y, everything) for method in methods.values()]).detach()
    own, fresh = answers[..., 0], answers[..., 1:]
    weights = torch.stack([least_squares(queries, each) for each in fresh])
    rest = (fresh - torch.einsum("pqd,mpd->mpq", queries, weights)).square().sum((1, 2))
    total = fresh.square().sum((1, 2))
    mean, low, high = mean_and_ends((own - drawn.y[:, count]).square().T)
    return {
        "loss": mean,
        "loss_interval": np.stack([low, high], -1),
        "linearity": torch.where(total > 1e-12, 1 - rest / total, torch.nan).numpy(),
        "prediction_distance": _distances(own[..., None]) / width,
        "weight_distance": _distances(weights) / width,
    }


def _distances(values: Float[Tensor, "method prompt entry"]) -> np.ndarray:
    return (values[:, None] - values[None]).square().sum(-1).mean(-1).numpy()


def as_predictor(model: CausalRegressor) -> Predictor:
    """The trained transformer as a predictor: every query after the same examples, one at a time."""

    @torch.no_grad()
    def predictor(x: Tensor, y: Tensor, query: Tensor) -> Tensor:
        prompts, queries = query.shape[:2]
        inputs = torch.cat([x[:, None].expand(-1, queries, -1, -1), query[:, :, None]], 2).flatten(0, 1)
        outputs = torch.cat([y[:, None].expand(-1, queries, -1), torch.zeros_like(query[..., :1])], 2).flatten(0, 1)
        nothing = torch.zeros(len(inputs), dtype=torch.long)
        batch = RegressionPrompts(inputs.float(), outputs.float(), inputs[:, 0].float(), nothing)
        return model(batch)[:, -1].view(prompts, queries).to(query.dtype)

    return predictor


def algorithms(
    run: Run, lesson: AlgorithmsLesson, step: int | None = None, *, prompts: int = 256
) -> InContextAlgorithms:
    """A trained transformer among the closed forms, by number of examples.

    Source: Akyürek et al. 2023 (2211.15661), figures 1 and 2.
    """
    setting = lesson.options.setting
    model = run.load(lesson, step)
    reference = draw(setting, 4000, torch.Generator().manual_seed(9))
    methods = {"model": as_predictor(model), **predictors(setting, reference)}
    result = compare(methods, setting, prompts=prompts)
    return result.with_provenance(replace(result.provenance, model=run.path.name))


@torch.no_grad()
def weight_probes(run: Run, lesson: AlgorithmsLesson, step: int | None = None, *, prompts: int = 4000) -> WeightProbes:
    """What ridge probes read of the weights and of Xᵀy from the stream at the last query, by layer.

    Half of the prompts is fitted, the penalty chosen on a quarter, the last quarter scored.
    Source: Akyürek et al. 2023 (2211.15661), section 4.3.
    Differs: linear probes with a ridge penalty; theirs also pool over positions by attention. The control is the same
    probe on targets of other prompts.
    """
    drawn = draw(lesson.options.setting, prompts, torch.Generator().manual_seed(11))
    x, y = drawn.x[:, :-1], drawn.y[:, :-1]
    targets = {
        "least-squares weights": least_squares(x, y),
        "true weights": drawn.weights,
        "Xᵀy": torch.einsum("bnd,bn->bd", x, y),
    }
    model: Any = run.load(lesson, step)
    states = [each[:, -1].double() for each in model.states(drawn.to(torch.float32))]
    order = torch.randperm(prompts, generator=torch.Generator().manual_seed(13))
    score, control = np.empty((len(states), len(targets), 3)), np.empty((len(states), len(targets)))
    for (layer, state), (column, target) in product(enumerate(states), enumerate(targets.values())):
        score[layer, column] = _probe(state, target)
        control[layer, column] = _probe(state, target[order])[0]
    return result_of(
        WeightProbes,
        "weight-probes",
        {"score": score[..., 0], "score_interval": score[..., 1:], "control": control},
        measured=f"ridge probes after {lesson.options.setting.examples} examples, {prompts // 4:,} prompts held out",
        lesson=lesson,
        model=run.path.name,
        variable=list(targets),
    )


def _probe(state: Float[Tensor, "prompt width"], target: Float[Tensor, "prompt dimension"]) -> np.ndarray:
    """R² of the best penalty on prompts that were not used, with its bootstrap interval."""
    half, quarter = len(state) // 2, len(state) * 3 // 4
    features = torch.cat([state, torch.ones_like(state[:, :1])], -1)
    fitted, chosen_on, scored = (slice(0, half), slice(half, quarter), slice(quarter, None))
    gram, cross = features[fitted].T @ features[fitted], features[fitted].T @ target[fitted]
    penalty = torch.eye(len(gram), dtype=gram.dtype)
    fits = [torch.linalg.solve(gram + each * penalty, cross) for each in _PENALTIES]
    best = min(fits, key=lambda fit: float((features[chosen_on] @ fit - target[chosen_on]).square().sum()))
    missed = (features[scored] @ best - target[scored]).square().sum(-1)
    spread = (target[scored] - target[scored].mean(0)).square().sum(-1).mean()
    return mean_and_ends(1 - missed / spread)
