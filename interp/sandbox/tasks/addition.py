"""Sums, differences and products digit by digit, and what each digit of the answer depends on."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from jaxtyping import Bool, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional as F

from interp.sandbox.small_model import SmallModel
from interp.sandbox.task import Batch, Problem, Task, Training

Operation = Literal["add", "subtract", "multiply"]
SIGNS: Mapping[str, str] = {"add": "+", "subtract": "-", "multiply": "×"}
_RESULTS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
}


def digits_of(numbers: Int[Tensor, "*row"], count: int) -> Int[Tensor, "*row digit"]:
    """Decimal digits, the units first."""
    return numbers[..., None] // 10 ** torch.arange(count) % 10


@dataclass(frozen=True)
class Arithmetic(Problem):
    """`12345+06789=019134`: two numbers of as many digits, and the answer with the sign's place or the carry's first.

    A difference begins with + or -, the digits after it are those of its size.
    Source: Quirke and Barez 2023, whose enrichment (digit pairs that sum to 9) it has. Differs: a digit of a product
    counts to `digits` or twice as many places, the answer of a sum to one place more.
    """

    operation: Operation = Field(default="add", description="what is done with the two numbers")
    digits: int = Field(default=5, ge=1, le=8, description="digits of each number")
    answer_reversed: bool = Field(default=False, description="whether the answer's units stand first")
    enriched: float = Field(default=0.4, ge=0, le=1, description="share of inputs where two fifths of pairs sum to 9")

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Digits and signs."""
        return (*"0123456789", "+", "-", "×", "=")

    @property
    def places(self) -> int:
        """Digits of the answer, without a sign."""
        return {"add": self.digits + 1, "subtract": self.digits, "multiply": 2 * self.digits}[self.operation]

    @property
    def _signed(self) -> int:
        return int(self.operation == "subtract")

    @property
    def length(self) -> int:
        """All but the last digit of the answer, which is not read."""
        return 2 * self.digits + 2 + self._signed + self.places - 1

    def batch(self, n: int, generator: torch.Generator) -> Batch:
        """Random numbers, enriched with pairs of digits that sum to 9."""
        left, right = (torch.randint(10, (n, self.digits), generator=generator) for _ in range(2))
        rows = torch.rand(n, 1, generator=generator) < self.enriched
        nines = torch.rand(n, self.digits, generator=generator) < 0.4
        return self.of_digits(left, torch.where(rows & nines, 9 - left, right))

    def test(self, n: int, generator: torch.Generator) -> Batch:
        """Random numbers alone."""
        left, right = (torch.randint(10, (n, self.digits), generator=generator) for _ in range(2))
        return self.of_digits(left, right)

    def of_digits(self, left: Int[Tensor, "row digit"], right: Int[Tensor, "row digit"]) -> Batch:
        """The inputs of given numbers, their units first."""
        powers = 10 ** torch.arange(self.digits)
        result = _RESULTS[self.operation]((left * powers).sum(1), (right * powers).sum(1))
        answer = digits_of(result.abs(), self.places)
        shown = answer if self.answer_reversed else answer.flip(1)
        n, token = len(left), self.vocabulary.index
        sign = torch.full((n, 1), token(SIGNS[self.operation]))
        parts = [left.flip(1), sign, right.flip(1), torch.full((n, 1), token("="))]
        if self._signed:
            parts.append(torch.where(result < 0, token("-"), token("+"))[:, None])
        whole = torch.cat([*parts, shown], 1)
        inputs, targets = whole[:, :-1], whole[:, 1:]
        weights = torch.zeros(inputs.shape)
        weights[:, 2 * self.digits + 1 :] = 1
        return Batch(inputs, targets, weights, self._classes(left, right, weights))

    def at(self, digit: int) -> int:
        """The position that is asked for a digit of the answer (0: the units)."""
        first = 2 * self.digits + 1 + self._signed
        return first + (digit if self.answer_reversed else self.places - 1 - digit)

    def _classes(
        self, left: Int[Tensor, "row digit"], right: Int[Tensor, "row digit"], weights: Tensor
    ) -> dict[str, Bool[Tensor, "row pos"]]:
        """Each digit of the answer, its sign, and of sums what the digit needs."""
        empty = torch.zeros(weights.shape, dtype=torch.bool)
        classes = {}
        if self._signed:
            classes["sign"] = empty.clone()
            classes["sign"][:, 2 * self.digits + 1] = True
        for digit in range(self.places):
            classes[f"digit {digit}"] = empty.clone()
            classes[f"digit {digit}"][:, self.at(digit)] = True
        if self.operation == "add":
            for name, where in sub_tasks(left, right).items():
                classes[name] = empty.clone()
                for digit in range(self.places):
                    classes[name][:, self.at(digit)] = where[:, digit]
        return classes

    def numbers(self, batch: Batch) -> tuple[Int[Tensor, "row digit"], Int[Tensor, "row digit"]]:
        """The two numbers' digits, units first."""
        first, second = batch.inputs[:, : self.digits], batch.inputs[:, self.digits + 1 : 2 * self.digits + 1]
        return first.flip(1), second.flip(1)

    def baselines(self, batch: Batch) -> dict[str, Tensor]:
        """Digits alike; the answer; and of sums the rule that a model of one layer learns."""
        chance = torch.full((*batch.inputs.shape, len(self.vocabulary)), -1e4)
        chance[..., :10] = 0.0
        answers = {"chance": chance, "exact": _certain(batch.targets, chance)}
        if self.operation == "add":
            answers["one-layer rule"] = _certain(self._said(one_layer_rule(*self.numbers(batch)), batch), chance)
        return answers

    def _said(self, answer: Int[Tensor, "row digit"], batch: Batch) -> Int[Tensor, "row pos"]:
        """The targets with other digits of the answer."""
        said = batch.targets.clone()
        for digit in range(self.places):
            said[:, self.at(digit)] = answer[:, digit]
        return said

    def factors(self, batch: Batch) -> dict[str, Int[Tensor, "row pos"]]:
        """At every digit of a sum's answer: the digits' sum without carry, the carry made there, and a sum of nine."""
        if self.operation != "add":
            return {}
        left, right = (F.pad(each, (0, 1)) for each in self.numbers(batch))
        total = left + right
        values = {"base add": total % 10, "make carry": (total >= 10).long(), "sum of nine": (total == 9).long()}
        factors = {name: torch.full(batch.inputs.shape, -1) for name in values}
        for name, value in values.items():
            for digit in range(self.places):
                factors[name][:, self.at(digit)] = value[:, digit]
        return factors


def _certain(tokens: Int[Tensor, "row pos"], like: Tensor) -> Tensor:
    return torch.full_like(like, -1e4).scatter(2, tokens[..., None], 0.0)


def carries(left: Int[Tensor, "row digit"], right: Int[Tensor, "row digit"]) -> Int[Tensor, "row place"]:
    """What is carried into each place of the answer, one more than the numbers have."""
    into = [torch.zeros_like(left[:, 0])]
    for digit in range(left.shape[1]):
        into.append((left[:, digit] + right[:, digit] + into[-1] >= 10).long())
    return torch.stack(into, 1)


def sub_tasks(left: Int[Tensor, "row digit"], right: Int[Tensor, "row digit"]) -> dict[str, Bool[Tensor, "row place"]]:
    """Which digits of the answer need only their own pair, a carry made next to them, or one passed on by a nine.

    Base add: nothing is carried in. Use carry: the pair before sums to 10 or more. Use nine: it sums to 9 and passes on
    what it is given; the cascade is longer than one nine where the pair before that is a nine too.
    Source: Quirke and Barez 2023, section 4 (BA, UC1, US9).
    """
    into, total = carries(left, right), left + right
    before = F.pad(total, (1, 0))
    two_before = F.pad(total, (2, 0))[:, :-1]
    nine = (into == 1) & (before == 9)
    return {
        "base add": into == 0,
        "use carry": (into == 1) & (before >= 10),
        "use nine": nine & (two_before != 9),
        "use nines": nine & (two_before == 9),
    }


def one_layer_rule(left: Int[Tensor, "row digit"], right: Int[Tensor, "row digit"]) -> Int[Tensor, "row place"]:
    """The answer as a model of one layer has it: the carry of the place before, or that before it behind one nine.

    Sums in which a carry passes two nines are wrong. Source: Quirke and Barez 2023, section 6.
    """
    total = F.pad(left + right, (2, 1))
    here, one, two = total[:, 2:], total[:, 1:-1], total[:, :-2]
    return (here + (one >= 10).long() + ((one == 9) & (two >= 10)).long()) % 10


def tasks() -> tuple[Task, ...]:
    """One layer that adds."""
    return (
        Task(
            "addition",
            "Add two numbers digit by digit",
            "Quirke and Barez 2023 (Understanding Addition in Transformers)",
            Arithmetic(digits=4),
            SmallModel(layers=1, heads=3, width=48, head_size=16, neurons=96, mlp="relu", norm="layer"),
            Training(
                steps=2400,
                batch=128,
                lr=3e-3,
                weight_decay=0.01,
                decay=0.4,
                beta=0.98,
                spaced=5,
                every=400,
                logged=40,
            ),
            seconds=150,
        ),
    )
