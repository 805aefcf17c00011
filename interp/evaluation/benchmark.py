"""The subject-verb-agreement benchmark: do methods point at the subject, which alone decides the verb's form?"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.errors import PromptError
from interp.core.intervals import bootstrap_mean
from interp.core.metric import Metric
from interp.core.options import Count, Repeats, Seed
from interp.core.prompts import PromptPairs, Prompts
from interp.evaluation.evidence import SCORES, evidence_scores
from interp.evaluation.items import EvidencePrompts, agreement_items, answers, differing_evidence
from interp.evaluation.methods import methods_named, relevances, without_methods
from interp.kinds import MethodScores
from interp.models.hooked import HookedModel

SIGN = "each score from 0 to 1; higher: more relevance on the evidence"


@dataclass(frozen=True)
class BenchmarkOptions:
    """The number of sentences, the methods, and how to run them."""

    n: Repeats = Field(1000, description="number of sentences that the model gets right, if no prompt is given")
    seed: Seed = Field(0, description="seed of the sentences")
    methods: tuple[str, ...] = Field(
        (), description="methods to score (name, or name:option=value); by default all that support the model"
    )
    k: Count = Field(3, description="top tokens among which pointing_k looks for evidence")
    batch_size: int = Field(32, ge=1, le=4096, description="prompts of equal length that a method processes at once")


def markdown_table(result: MethodScores) -> str:
    """The scores of every method as a table in Markdown: means with their 95 % intervals."""
    heads = {"mrr": "MRR", "rma": "RMA", "pointing": "pointing game", "pointing_k": "pointing game, top k"}
    lines = [f"| method | {' | '.join(heads.values())} |", "|---" * (len(heads) + 1) + "|"]
    columns = [np.stack(bootstrap_mean(result.values(name).values)) for name in heads]
    for index, method in enumerate(result.data["method"].values):
        cells = ["{:.3f} [{:.3f}, {:.3f}]".format(*column[:, index]) for column in columns]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _annotations(
    prompts: Prompts | PromptPairs,
) -> tuple[Prompts, Bool[np.ndarray, "batch pos"], dict[str, Float[np.ndarray, "batch pos"]]]:
    """The prompts, their evidence, and the baselines' relevance."""
    if isinstance(prompts, PromptPairs):
        return prompts.clean, differing_evidence(prompts).numpy(), _baselines(prompts.clean)
    if isinstance(prompts, EvidencePrompts):
        nouns = {"last-noun": prompts.last_noun.numpy().astype(float)}
        return prompts, prompts.evidence.numpy(), _baselines(prompts) | nouns
    raise PromptError(
        "sva-benchmark needs to know which tokens decide the answer; give a corrupted prompt that differs in them, "
        "or leave the prompt out"
    )


def _baselines(prompts: Prompts) -> dict[str, Float[np.ndarray, "batch pos"]]:
    """Relevance without a look at the model: the same everywhere, and all on the first or the last token."""
    mask = prompts.mask.numpy().astype(float)
    first, last = np.zeros_like(mask), np.zeros_like(mask)
    first[:, 0] = 1
    last[np.arange(len(mask)), mask.sum(-1).astype(int) - 1] = 1
    return {"random": mask, "first-token": first, "last-token": last}


def _scores(
    relevance: dict[str, Float[np.ndarray, "batch pos"]],
    evidence: Bool[np.ndarray, "batch pos"],
    mask: Bool[np.ndarray, "batch pos"],
    k: int,
) -> Float[np.ndarray, "score batch method"]:
    scores = np.empty((len(SCORES), len(mask), len(relevance)))
    for column, values in enumerate(relevance.values()):
        for row, real in enumerate(mask):
            own = evidence_scores(values[row, real], evidence[row, real], k=k)
            scores[:, row, column] = [own[name] for name in SCORES]
    return scores


@engine(
    obstacle=without_methods,
    default_prompts=lambda model, options: agreement_items(model, options.n, options.seed, options.batch_size),
)
def sva_benchmark(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: BenchmarkOptions
) -> MethodScores:
    """How well each method finds the subject that determines the verb's form, across attractors.

    Score every method by how much of its relevance is on the evidence: axes `batch method`.

    Without prompts: sentences of a grammar, up to the verb, in nine constructions with a noun of the other number
    as attractor; the evidence is the subject, all its tokens. With pairs of prompts: the tokens that differ. The
    target is the difference of the two answers. Only prompts that the model gets right are scored; the others are
    NaN, and `items` tells them apart. Scores are those of `evidence_scores`, over all tokens, special ones
    included. Baselines: `random` (what random relevance scores on average, exactly), `first-token`, `last-token`,
    and `last-noun` where the grammar knows it.

    Unit: none (each score is from 0 to 1); `difference` has the metric's.
    Raises: OptionError for an unknown method; PromptError where the evidence is not known, or the model gets too
    few sentences right.
    Source: Arras et al. 2025, "A Close Look at Decomposition-based XAI-Methods for Transformer Language Models".
    Differs: sentences are of a grammar of ours rather than of a corpus.
    """
    clean, evidence, baselines = _annotations(prompts)
    methods = methods_named(options.methods, model)
    difference = answers(model, clean, metric, options.batch_size)
    right = np.flatnonzero(difference > 0)
    names = [*(method.label for method in methods), *baselines]
    scores = np.full((len(SCORES), len(clean), len(names)), np.nan)
    if len(right):
        part, rows = clean[right.tolist()], metric.select(right.tolist())
        by_method = relevances(model, methods, part, rows, batch_size=options.batch_size)
        by_method |= {name: values[right, : part.width] for name, values in baselines.items()}
        scores[:, right] = _scores(by_method, evidence[right, : part.width], part.mask.numpy(), options.k)
    more: dict[str, Any] = (
        {"construction": ("batch", list(clean.constructions))} if isinstance(clean, EvidencePrompts) else {}
    )
    return MethodScores.of(
        clean,
        dict(zip(SCORES, scores, strict=True)) | {"difference": difference, "correct": (difference > 0).astype(float)},
        unit=metric.unit,
        measured=(
            f"how well relevance for {metric.label} finds the evidence, over the {len(right)} of {len(clean)} "
            f"prompts that the model gets right ({len(clean) - len(right)} dropped); k = {options.k}"
        ),
        sign=SIGN,
        method=names,
        **more,
    )
