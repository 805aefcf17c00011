"""The programs that models of known truth are compiled from, each as a plain function of a whole sequence."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, islice, pairwise, permutations, product
from random import Random

Value = str | int | bool | Fraction | None
Sequences = Callable[[Sequence[Value], int], Iterable[tuple[Value, ...]]]


def _all(symbols: Sequence[Value], length: int) -> Iterable[tuple[Value, ...]]:
    return product(symbols, repeat=length)


@dataclass(frozen=True)
class Program:
    """One program: what it reads, and what stands at every position of its output (None: nothing).

    `sequences` says which sequences of symbols it is meant for, all or those without repeats. Every input begins with
    `start`, which counts towards `longest`. A causal one is compiled to a model whose positions see only what stands
    before. `outputs` are the values that it can give where they are not to be enumerated.
    """

    name: str
    summary: str
    function: Callable[[Sequence[Value]], Sequence[Value]]
    symbols: tuple[Value, ...] = ("a", "b", "c", "d")
    longest: int = 5
    causal: bool = False
    start: tuple[Value, ...] = ()
    sequences: Sequences = _all
    outputs: tuple[Value, ...] = ()

    def inputs(self) -> Iterator[tuple[Value, ...]]:
        """Every input that it is meant for, of every length."""
        for length in range(1, self.longest + 1 - len(self.start)):
            for symbols in self.sequences(self.symbols, length):
                yield (*self.start, *symbols)

    def some_inputs(self, most: int = 10_000) -> list[tuple[Value, ...]]:
        """Every input; where there are more than `most`, the shortest and random ones."""
        first = list(islice(self.inputs(), most + 1))
        if len(first) <= most:
            return first
        rng, lengths = Random(0), range(1 + len(self.start), self.longest + 1)
        drawn = (self.draw(rng, rng.choice(lengths)) for _ in first[most // 2 :])
        return list(dict.fromkeys([*first[: most // 2], *drawn]))

    def draw(self, rng: Random, length: int) -> tuple[Value, ...]:
        """A random input of `length` with its start."""
        count = length - len(self.start)
        distinct = self.sequences is permutations
        symbols = rng.sample(self.symbols, count) if distinct else rng.choices(self.symbols, k=count)
        return (*self.start, *symbols)


def written(value: Value) -> str:
    """A value as a token: `a`, `2`, `1/3`, `T` and `F` for true and false."""
    return {True: "T", False: "F"}[value] if isinstance(value, bool) else str(value)


def _counts(tokens: Sequence[Value]) -> list[int]:
    return [Counter(tokens)[token] for token in tokens]


def _double_counts(tokens: Sequence[Value]) -> list[int]:
    counts = Counter(tokens)
    return [sum(each == counts[token] for each in counts.values()) for token in tokens]


def _counts_behind_start(tokens: Sequence[Value]) -> list[int]:
    return [0, *_counts(tokens[1:])]


def _ascending(tokens: Sequence[Value]) -> list[Value]:
    return sorted(tokens, key=lambda token: int(str(token)))


def _by_frequency(tokens: Sequence[Value]) -> list[Value]:
    return sorted(tokens, key=lambda token: -Counter(tokens)[token])


def _share_before(symbol: str) -> Callable[[Sequence[Value]], list[Fraction]]:
    return lambda tokens: [Fraction(tokens[: end + 1].count(symbol), end + 1) for end in range(len(tokens))]


def _balances(tokens: Sequence[Value], pair: str) -> list[int]:
    return list(accumulate((token == pair[0]) - (token == pair[1]) for token in tokens))


def _balance_shares(tokens: Sequence[Value]) -> list[Fraction]:
    return [Fraction(balance, end) for end, balance in enumerate(_balances(tokens, "()"), 1)]


def _verdicts(*pairs: str) -> Callable[[Sequence[Value]], list[str]]:
    """Whether what stands so far can still be balanced (P), is (T), or cannot be any more (F)."""

    def verdicts(tokens: Sequence[Value]) -> list[str]:
        at_each, wrong = list(zip(*(_balances(tokens, pair) for pair in pairs), strict=True)), False
        result = []
        for balances in at_each:
            wrong = wrong or min(balances) < 0
            result.append("F" if wrong else "T" if not any(balances) else "P")
        return result

    return verdicts


def _is_first(tokens: Sequence[Value]) -> list[bool]:
    return [token not in tokens[:place] for place, token in enumerate(tokens)]


_PROGRAMS = (
    Program("reverse", "the sequence from its end to its beginning", lambda tokens: tokens[::-1]),
    Program("hist", "how often each position's token occurs", _counts),
    Program(
        "hist_bos",
        "how often each position's token occurs, by attending to a first token too",
        _counts_behind_start,
        symbols=("a", "b", "c"),
        longest=6,
        start=("^",),
    ),
    Program(
        "double_hist",
        "how many different tokens occur as often as each position's token",
        _double_counts,
        symbols=("a", "b", "c"),
        longest=4,
    ),
    Program("sort", "the tokens in ascending order", _ascending, symbols=(1, 2, 3, 4)),
    Program(
        "sort_unique",
        "the tokens in ascending order, where none occurs twice",
        _ascending,
        symbols=(1, 2, 3, 4, 5, 6),
        sequences=permutations,
    ),
    Program(
        "most_frequent",
        "the tokens by how often they occur, the most frequent first, equally frequent ones in the order of the input",
        _by_frequency,
    ),
    Program("dyck1", "whether brackets so far are balanced (T), can be (P), or cannot (F)",
            _verdicts("()"), symbols=("(", ")"), longest=6, causal=True),
    Program("dyck2", "the same of two kinds of brackets, which may cross",
            _verdicts("()", "[]"), symbols=("(", ")", "[", "]"), longest=5, causal=True),
    Program("pair_balance", "opening less closing brackets as a share of the tokens so far",
            _balance_shares, symbols=("(", ")", "x"), longest=5),
    Program("frac_prevs", "the share of x among the tokens so far",
            _share_before("x"), symbols=("x", "y", "z"), longest=5),
    Program("first_occurrence", "whether a token has not occurred before", _is_first, causal=True),
    Program("count", "how often a occurs in the sequence", lambda tokens: [tokens.count("a")] * len(tokens)),
    Program("detect_pattern", "whether the last two tokens so far are a b",
            lambda tokens: [None] * (len(tokens) > 0) + [pair == ("a", "b") for pair in pairwise(tokens)],
            symbols=("a", "b", "c"), causal=True),
    Program("shift", "the token before each position", lambda tokens: [None, *tokens[:-1]], causal=True),
    Program("successor", "the next letter, by the MLP alone: a trivial control",
            lambda tokens: ["bcda"["abcd".index(str(token))] for token in tokens], causal=True),
    Program("constant", "the same whatever is read: a control on which nothing has an effect",
            lambda tokens: ["a"] * len(tokens), causal=True),
)  # fmt: skip
PROGRAMS = {program.name: program for program in _PROGRAMS}
