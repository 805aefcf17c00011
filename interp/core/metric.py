"""A number for how strongly the model prefers the right answer.

Higher is better, everywhere. An effect is metric(edited) − metric(clean): negative when what was edited had been
helping the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.errors import TargetError
from interp.core.language_model import LanguageModel

Scale = Literal["logit", "logprob", "prob"]
Answers = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Metric:
    """`value(target) − value(contrast)` of each prompt, or `value(target)` where there is no contrast.

    `targets` and `contrasts` hold a set of tokens (or classes) for each prompt; a set's logit or log-probability is
    the mean over it, its probability the sum. `positions` is where each prompt is read; None where its head pools.
    """

    targets: Answers
    contrasts: Answers | None
    positions: tuple[int, ...] | None
    target_labels: tuple[str, ...]
    contrast_labels: tuple[str, ...] | None
    scale: Scale = "logit"

    @classmethod
    def of(
        cls,
        model: LanguageModel,
        target: str | Sequence[str],
        contrast: str | Sequence[str] | None = None,
        *,
        positions: Sequence[int],
        scale: Scale = "logit",
    ) -> "Metric":
        """One answer (and contrast) per prompt; a single string serves all prompts.

        Raises: TargetError if an answer is not one token or class, or is its own contrast.
        """
        targets = _repeat(target, len(positions), "answer")
        contrasts = None if contrast is None else _repeat(contrast, len(positions), "contrast")
        right = tuple((answer_id(model, text, "answer"),) for text in targets)
        wrong = None if contrasts is None else tuple((answer_id(model, text, "contrast"),) for text in contrasts)
        for text, one, other in zip(targets, right, wrong or (), strict=False):
            if one == other:
                raise TargetError(
                    f"answer and contrast are both {text!r}, so their difference is always zero; "
                    "choose a different contrast"
                )
        return cls(
            right,
            wrong,
            None if model.pools else tuple(positions),
            targets,
            contrasts,
            scale,
        )

    @classmethod
    def reading(cls, positions: Sequence[int], *, pooled: bool = False) -> "Metric":
        """No question, only the places where an answer would be read."""
        empty = ((),) * len(positions)
        return cls(empty, None, None if pooled else tuple(positions), ("",) * len(positions), None)

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def unit(self) -> str:
        """The unit of the metric and of every effect on it."""
        return {"logit": "logits", "logprob": "nats", "prob": "probability"}[self.scale]

    @property
    def label(self) -> str:
        """What is measured, in words: `logit(" Mary") − logit(" John")`."""
        many = len(set(zip(self.targets, self.contrasts or self.targets, strict=True))) > 1
        target = "answer" if many else f'"{self.target_labels[0]}"'
        if self.contrast_labels is None:
            return f"{self.scale}({target})"
        contrast = "contrast" if many else f'"{self.contrast_labels[0]}"'
        return f"{self.scale}({target}) − {self.scale}({contrast})"

    def select(self, rows: Sequence[int]) -> "Metric":
        """The metric of some of the prompts; a row may repeat, for batches that run one prompt many ways."""
        rows_of = lambda values: None if values is None else tuple(values[row] for row in rows)  # noqa: E731
        return replace(
            self,
            targets=rows_of(self.targets),
            contrasts=rows_of(self.contrasts),
            positions=rows_of(self.positions),
            target_labels=rows_of(self.target_labels),
            contrast_labels=rows_of(self.contrast_labels),
        )

    def at_answer(self, values: Float[Tensor, "batch pos d"]) -> Float[Tensor, "batch d"]:
        """The rows of `values` at each prompt's answer position."""
        if self.positions is None:
            return values
        return values[torch.arange(len(self), device=values.device), torch.tensor(self.positions, device=values.device)]

    def __call__(self, logits: Tensor) -> Float[Tensor, "batch"]:
        """The metric of every prompt, from full logits (`batch pos vocab`; `batch class` where a head pools)."""
        return self.of_rows(self.at_answer(logits) if logits.dim() == 3 else logits)

    def of_rows(self, rows: Float[Tensor, "batch vocab"]) -> Float[Tensor, "batch"]:
        """The metric of every prompt, from logits already taken at the answer position."""
        if self.scale == "logprob":
            rows = rows.log_softmax(-1)
        elif self.scale == "prob":
            rows = rows.softmax(-1)
        value = self._gather(rows, self.targets)
        return value if self.contrasts is None else value - self._gather(rows, self.contrasts)

    def direction(self, rows: Float[Tensor, "vocab d"]) -> Float[Tensor, "batch d"]:
        """The mean row of each prompt's answers less that of its contrasts, in float64: of W_U, the metric's own."""
        target = _mean_rows(rows, self.targets)
        return target if self.contrasts is None else target - _mean_rows(rows, self.contrasts)

    def _gather(self, rows: Tensor, answers: Answers) -> Tensor:
        answer_values = [row[list(tokens)] for row, tokens in zip(rows, answers, strict=True)]
        return torch.stack([values.sum() if self.scale == "prob" else values.mean() for values in answer_values])


def answer_id(model: LanguageModel, text: str, what: str = "answer") -> int:
    """The one token, or a classifier's class, that `text` names.

    Raises: TargetError as `token_id`, or that lists a classifier's classes.
    """
    if not model.is_classifier:
        return token_id(model, text, what)
    if text in model.class_names:
        return model.class_names.index(text)
    raise TargetError(f"{model.name} has no class {text!r}; choose one of {', '.join(model.class_names)}")


def token_id(model: LanguageModel, text: str, what: str) -> int:
    """The one token that `text` is. Raises: TargetError that offers the first token where it is several."""
    tokens = model.encode_continuation(text) if text else []
    if len(tokens) == 1:
        if tokens[0] < model.vocabulary_size:
            return tokens[0]
        raise TargetError(
            f"the {what} {text!r} is token {tokens[0]}, which is beyond the embedding of {model.name}, tokens 0 to "
            f"{model.vocabulary_size - 1}; give another"
        )
    if not tokens:
        raise TargetError(f"the {what} is empty; give one token, such as ' Mary' with its leading space")
    first = model.token_label(tokens[0])
    raise TargetError(
        f"the {what} {text!r} is {len(tokens)} tokens long; give a single token, such as its first: {first!r}"
    )


def _mean_rows(rows: Float[Tensor, "vocab d"], answers: Answers) -> Float[Tensor, "batch d"]:
    return torch.stack([rows[list(tokens)].double().mean(0) for tokens in answers])


def _repeat(answers: str | Sequence[str], count: int, what: str) -> tuple[str, ...]:
    if isinstance(answers, str):
        return (answers,) * count
    if len(answers) != count:
        raise TargetError(f"{len(answers)} {what}s for {count} prompts; give one for each prompt, or one for all")
    return tuple(answers)
