"""Items of the agreement benchmark: sentences as a model reads them, with the tokens that are the evidence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.core.errors import EngineError, PromptError
from interp.core.metric import Metric
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.evaluation.methods import batches_of_equal_length
from interp.evaluation.sentences import Sentence, sentences
from interp.models.hooked import HookedModel

_TRIES = 8  # sentences drawn for each that the model has to get right, before it is held not to know agreement


@dataclass(frozen=True, eq=False)
class EvidencePrompts(Prompts):
    """Prompts of which it is known which tokens decide the answer.

    `evidence` marks all pieces of the subject, `last_noun` those of the noun nearest to the answer.
    """

    evidence: Bool[Tensor, "batch pos"] = field(kw_only=True)
    last_noun: Bool[Tensor, "batch pos"] = field(kw_only=True)
    constructions: tuple[str, ...] = field(kw_only=True)

    def __getitem__(self, rows: slice | Sequence[int]) -> "EvidencePrompts":
        """Some of the prompts with their evidence, padded no further than they need."""
        indices = list(range(len(self)))[rows] if isinstance(rows, slice) else list(rows)
        some = super().__getitem__(indices)
        return EvidencePrompts(
            some.texts,
            some.tokens,
            some.mask,
            some.labels,
            some.metric,
            evidence=self.evidence[indices, : some.width],
            last_noun=self.last_noun[indices, : some.width],
            constructions=tuple(self.constructions[index] for index in indices),
        )


def agreement_items(model: HookedModel, n: int, seed: int, batch_size: int) -> EvidencePrompts:
    """Sentences up to the verb, as many as it takes for the model to get `n` right; the last one is right.

    The question is the verb's right form rather than the wrong one. A masked model reads a mask and a full stop after
    the sentence.
    Raises: EngineError for a classifier; PromptError for a model that gets too few right.
    """
    if model.is_classifier:
        raise EngineError(
            f"{model.name} is a classifier and predicts no verbs; use a language model, or give pairs of prompts"
        )
    stream = (sentence for sentence in sentences(Random(seed)) if _fits(model, sentence))
    items: list[Sentence] = []
    right = 0
    while right < n:
        if len(items) > _TRIES * n:
            raise PromptError(
                f"{model.name} gets {right} of {len(items)} verbs right, but {n} are requested; use a model that "
                "knows agreement, or request fewer"
            )
        more = list(islice(stream, n - right))
        prompts = _prompts(model, more)
        right += int((answers(model, prompts, _metric(prompts), batch_size) > 0).sum())
        items += more
    return _prompts(model, items)


def differing_evidence(pairs: PromptPairs) -> Bool[Tensor, "batch pos"]:
    """Evidence of prompts whose corrupted twins have another answer: the tokens that differ.

    Raises: PromptError for a pair of equals.
    """
    evidence = (pairs.clean.tokens != pairs.corrupted.tokens) & pairs.clean.mask
    for row, has_evidence in enumerate(evidence.any(-1).tolist()):
        if not has_evidence:
            raise PromptError(
                f"pair {row}, {pairs.clean.texts[row]!r}, has identical sides; give a corrupted prompt "
                "that differs in the evidence"
            )
    return evidence


def answers(model: HookedModel, prompts: Prompts, metric: Metric, batch_size: int) -> Float[np.ndarray, "batch"]:
    """The metric of every prompt."""
    values = np.empty(len(prompts))
    batches = batches_of_equal_length(prompts, batch_size)
    for rows in track(batches, len(batches), "answers"):
        own_metric = metric.select(rows)
        with torch.no_grad():
            values[rows] = own_metric.of_rows(model.run(prompts[rows], answer=own_metric).logits).double().cpu().numpy()
    return values


def _metric(prompts: Prompts) -> Metric:
    assert prompts.metric is not None
    return prompts.metric


def _text(model: HookedModel, sentence: Sentence) -> str:
    return sentence.text if model.is_causal else f"{sentence.text} {model.tokenizer.mask_token}."


def _fits(model: HookedModel, sentence: Sentence) -> bool:
    """Whether the verb forms are one token each, two different ones, and the sentence is not too long."""
    right, wrong = (model.encode_continuation(form) for form in (sentence.right, sentence.wrong))
    return (
        len(right) == len(wrong) == 1
        and right != wrong
        and len(model.encode(_text(model, sentence))) <= model.context_length
    )


def _prompts(model: HookedModel, items: Sequence[Sentence]) -> EvidencePrompts:
    """Raises: TargetError if a verb form is not one token."""
    plain = Prompts.of(
        model,
        [_text(model, item) for item in items],
        target=[item.right for item in items],
        contrast=[item.wrong for item in items],
    )
    return EvidencePrompts(
        **{name: getattr(plain, name) for name in ("texts", "tokens", "mask", "labels", "metric")},
        evidence=_cover(model, plain, (item.subject for item in items)),
        last_noun=_cover(model, plain, (item.last_noun for item in items)),
        constructions=tuple(item.construction for item in items),
    )


def _cover(model: HookedModel, prompts: Prompts, spans: Iterable[tuple[int, int]]) -> Bool[Tensor, "batch pos"]:
    """The tokens of each prompt that hold a letter of its span."""
    mask = torch.zeros_like(prompts.mask)
    for row, (text, (start, end)) in enumerate(zip(prompts.texts, spans, strict=True)):
        offsets = model.tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
        for place, (first, last) in enumerate(offsets):
            mask[row, place] = first < end and start < last
    return mask
