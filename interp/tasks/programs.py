"""The programs that models of known truth are compiled from, each as a plain function of a whole sequence."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, chain, islice, pairwise, permutations, product
from random import Random

Value = str | int | bool | Fraction | None
Sequences = Callable[[Sequence[Value], int], Iterable[tuple[Value, ...]]]
Drawn = Callable[[Random, Sequence[Value], int], Sequence[Value]]


def _all(symbols: Sequence[Value], length: int) -> Iterable[tuple[Value, ...]]:
    return product(symbols, repeat=length)


def _any(rng: Random, symbols: Sequence[Value], length: int) -> list[Value]:
    return rng.choices(symbols, k=length)


@dataclass(frozen=True)
class Program:
    """One program: what it reads, and what stands at every position of its output (None: nothing).

    `sequences` says which sequences of symbols it is meant for, all or those without repeats. Every input begins with
    `start` and ends with `end`, which count towards `longest`. A causal one is compiled to a model whose positions see
    only what stands before. `drawn` draws symbols at random. `outputs` are the values that it can give where they are
    not to be enumerated.
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
    end: tuple[Value, ...] = ()
    drawn: Drawn = _any

    def inputs(self) -> Iterator[tuple[Value, ...]]:
        """Every input that it is meant for, of every length."""
        for length in range(1, self.longest + 1 - len(self.start) - len(self.end)):
            for symbols in self.sequences(self.symbols, length):
                yield (*self.start, *symbols, *self.end)

    def some_inputs(self, most: int = 10_000) -> list[tuple[Value, ...]]:
        """Every input; where there are more than `most`, the shortest and random ones."""
        first = list(islice(self.inputs(), most + 1))
        if len(first) <= most:
            return first
        rng, lengths = Random(0), range(1 + len(self.start), self.longest + 1)
        drawn = (self.draw(rng, rng.choice(lengths)) for _ in first[most // 2 :])
        return list(dict.fromkeys([*first[: most // 2], *drawn]))

    def draw(self, rng: Random, length: int) -> tuple[Value, ...]:
        """A random input of `length` with its start and end."""
        count = length - len(self.start) - len(self.end)
        symbols = self.drawn(rng, self.symbols, count)
        return (*self.start, *symbols, *self.end)


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


def _behind_it(function: Callable[[Sequence[Value]], Sequence[Value]]) -> Callable[[Sequence[Value]], list[Value]]:
    """Of the sequence before its end, which has no output."""
    return lambda tokens: [*function(tokens[:-1]), None]


def _most_frequent_first(tokens: Sequence[Value]) -> list[Value]:
    """Each token once, the most frequent first; `-` behind the last."""
    ranked = [token for token, _ in Counter(tokens).most_common()]
    return [*ranked, *["-"] * (len(tokens) - len(ranked))]


def _nested_verdicts(*pairs: str) -> Callable[[Sequence[Value]], list[str]]:
    """As the verdicts, but brackets may not cross."""
    opening: dict[Value, Value] = {pair[1]: pair[0] for pair in pairs}

    def verdicts(tokens: Sequence[Value]) -> list[str]:
        stack, result = [], []
        for token in tokens:
            if token not in opening:
                stack.append(token)
            elif not stack or stack.pop() != opening[token]:
                return [*result, *["F"] * (len(tokens) - len(result))]
            result.append("P" if stack else "T")
        return result

    return verdicts


def _drawn_nested(rng: Random, symbols: Sequence[Value], length: int) -> list[Value]:
    """Half of them anything, half without a mistake."""
    if rng.random() < 0.5:
        return _any(rng, symbols, length)
    stack: list[Value] = []
    result: list[Value] = []
    closing = dict(zip(symbols[::2], symbols[1::2], strict=True))
    for _ in range(length):
        if stack and rng.random() < 0.5:
            result.append(stack.pop())
        else:
            result.append(rng.choice(symbols[::2]))
            stack.append(closing[result[-1]])
    return result


def _followers(tokens: Sequence[Value]) -> list[Value]:
    """At a letter that has been there before, the digit that followed it."""
    known: dict[Value, Value] = dict(zip(tokens[::2], tokens[1::2], strict=False))
    return [
        known[token] if place % 2 == 0 and token in tokens[:place:2] else None for place, token in enumerate(tokens)
    ]


def _in_context(symbols: Sequence[Value], length: int) -> Iterable[tuple[Value, ...]]:
    """Letters, each with a digit of its own behind it: the first half of the symbols and the second."""
    half = len(symbols) // 2
    for letters in product(symbols[:half], repeat=(length + 1) // 2):
        for digits in product(symbols[half:], repeat=len(set(letters))):
            yield _interleaved(letters, dict(zip(dict.fromkeys(letters), digits, strict=True)), length)


def _drawn_in_context(rng: Random, symbols: Sequence[Value], length: int) -> tuple[Value, ...]:
    half = len(symbols) // 2
    digits = dict(zip(symbols[:half], rng.choices(symbols[half:], k=half), strict=True))
    return _interleaved(rng.choices(symbols[:half], k=(length + 1) // 2), digits, length)


def _interleaved(letters: Sequence[Value], digits: dict[Value, Value], length: int) -> tuple[Value, ...]:
    return tuple(chain.from_iterable((letter, digits[letter]) for letter in letters))[:length]


def _other_name(tokens: Sequence[Value]) -> list[Value]:
    """At the end of a sentence."""
    if len(tokens) < 5:
        return [None] * len(tokens)
    first, _, second, _, repeated = tokens
    return [None, None, None, None, second if repeated == first else first]


def _sentences(symbols: Sequence[Value], length: int) -> Iterable[tuple[Value, ...]]:
    """A name, a word, another name, a word, and one of the names again."""
    names, words = symbols[:-2], symbols[-2:]
    for (first, second), one, other, again in product(permutations(names, 2), words, words, (0, 1)):
        if length == 5:
            yield (first, one, second, other, (first, second)[again])


def _drawn_sentence(rng: Random, symbols: Sequence[Value], length: int) -> list[Value]:
    first, second = rng.sample(symbols[:-2], 2)
    one, other = rng.choices(symbols[-2:], k=2)
    return [first, one, second, other, rng.choice((first, second))]


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
        drawn=Random.sample,
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
_DIGITS = ("0", "1", "2", "3", "4", "5")
_LEARNED = (
    Program("learned_reverse", "the sequence from its end to its beginning", _behind_it(lambda tokens: tokens[::-1]),
            symbols=_DIGITS[:5], longest=7, end=("END",), outputs=_DIGITS[:5]),
    Program("learned_hist", "how often each position's token occurs", _counts,
            symbols=_DIGITS, longest=7, outputs=(1, 2, 3, 4, 5, 6, 7)),
    Program("learned_double_hist", "how many different tokens occur as often as each position's token", _double_counts,
            symbols=_DIGITS, longest=7, outputs=(1, 2, 3, 4, 5, 6)),
    Program("learned_sort", "the tokens in ascending order", _behind_it(_ascending),
            symbols=_DIGITS[:5], longest=7, end=("END",), outputs=_DIGITS[:5]),
    Program("learned_most_frequent", "each token once, the most frequent first", _most_frequent_first,
            symbols=_DIGITS, longest=7, outputs=(*_DIGITS, "-")),
    Program("learned_dyck1", "whether brackets so far are balanced (T), can be (P), or cannot (F)",
            _nested_verdicts("()"), symbols=("(", ")"), longest=10, causal=True, outputs=("F", "P", "T"),
            drawn=_drawn_nested),
    Program("learned_dyck2", "the same of two kinds of brackets, which may not cross",
            _nested_verdicts("()", "{}"), symbols=("(", ")", "{", "}"), longest=8, causal=True,
            outputs=("F", "P", "T"), drawn=_drawn_nested),
    Program("learned_induction", "at a letter that has been there before, the digit that followed it", _followers,
            symbols=("a", "b", "c", "d", "0", "1", "2", "3"), longest=8, causal=True, sequences=_in_context,
            drawn=_drawn_in_context, outputs=("0", "1", "2", "3")),
)  # fmt: skip
_NAMES, _FILLERS = ("Ann", "Bob", "Cat", "Dan", "Eve"), ("and", "gave")
_WRITTEN = (
    Program("simple_ioi", "of two names the one that is not repeated, where the other is", _other_name,
            symbols=(*_NAMES, *_FILLERS), longest=5, causal=True, sequences=_sentences, drawn=_drawn_sentence),
)  # fmt: skip
COMPILED = tuple(program.name for program in _PROGRAMS)
LEARNED = tuple(program.name for program in _LEARNED)
PROGRAMS = {program.name: program for program in (*_PROGRAMS, *_LEARNED, *_WRITTEN)}
