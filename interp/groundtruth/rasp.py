"""The programs in RASP, as tracr reads it. Needs the extra `groundtruth`."""

from collections.abc import Callable
from typing import Any

from tracr.compiler import lib  # pyright: ignore[reportMissingImports]
from tracr.rasp import rasp  # pyright: ignore[reportMissingImports]

from interp.tasks.programs import PROGRAMS

_EQUAL, _TRUE = rasp.Comparison.EQ, rasp.Comparison.TRUE


def _length() -> Any:
    return rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, _TRUE).named("everything")).named("length")


def _reverse() -> Any:
    opposite = ((_length() - rasp.indices).named("from_end") - 1).named("opposite")
    return rasp.Aggregate(rasp.Select(rasp.indices, opposite, _EQUAL).named("at_opposite"), rasp.tokens)


def _hist_bos() -> Any:
    start = PROGRAMS["hist_bos"].start[0]
    same_or_start = rasp.Select(rasp.tokens, rasp.tokens, lambda key, query: key in (query, start))
    is_start = rasp.numerical(rasp.Map(lambda token: int(token == start), rasp.tokens).named("is_start"))
    share = rasp.numerical(rasp.Aggregate(same_or_start, is_start, default=0).named("share_of_start"))
    return rasp.Map(lambda x: round(1 / x) - 1 if x > 0 else 0, share)


def _double_hist() -> Any:
    """Counts first occurrences, so that each token counts once (Weiss et al. 2021)."""
    count = lib.make_hist().named("count")
    place = rasp.SequenceMap(lambda token, index: f"{token}{index}", rasp.tokens, rasp.indices).named("place")
    earlier = rasp.Select(place, place, lambda key, query: key[0] == query[0] and key[1:] < query[1:]).named("earlier")
    before = rasp.SelectorWidth(earlier).named("before")
    counted = rasp.SequenceMap(lambda n, count: count if n == 0 else -count, before, count).named("counted")
    return rasp.SelectorWidth(rasp.Select(counted, counted, lambda key, query: key == abs(query)).named("alike"))


def _sort() -> Any:
    return lib.make_sort(rasp.tokens, rasp.tokens, max_seq_len=PROGRAMS["sort"].longest, min_key=1)


def _running_balance(pair: str) -> Any:
    everything = rasp.Select(rasp.indices, rasp.indices, _TRUE).named("everything")
    shares = []
    for token, name in zip(pair, ("opening", "closing"), strict=True):
        is_token = rasp.numerical(rasp.tokens == token).named(f"is_{name}{pair}")
        shares.append(rasp.numerical(rasp.Aggregate(everything, is_token, default=0)).named(f"{name}{pair}"))
    return rasp.numerical(rasp.LinearSequenceMap(*shares, 1, -1)).named(f"balance{pair}")


def _dyck(*pairs: str) -> Any:
    """Running balances; once one is negative, what follows is wrong (Weiss et al. 2021)."""
    balances = [_running_balance(pair) for pair in pairs]
    negative, zero = balances[0] < 0, balances[0] == 0
    for balance in balances[1:]:
        negative, zero = negative | (balance < 0), zero & (balance == 0)
    everything = rasp.Select(rasp.indices, rasp.indices, _TRUE).named("everything_so_far")
    negative = rasp.numerical(rasp.Map(lambda x: x, negative)).named("negative")
    wrong = rasp.numerical(rasp.Aggregate(everything, negative, default=0)).named("share_negative")
    verdict = lambda wrong, zero: "F" if wrong else "T" if zero else "P"  # noqa: E731
    return rasp.SequenceMap(verdict, (wrong > 0).named("wrong"), zero.named("zero"))


def _count() -> Any:
    return lib.make_count(rasp.tokens, "a")


def _successor() -> Any:
    return rasp.Map(lambda token: "bcda"["abcd".index(token)], rasp.tokens)


EXPRESSIONS: dict[str, Callable[[], Any]] = {
    "reverse": _reverse,
    "hist": lib.make_hist,
    "hist_bos": _hist_bos,
    "double_hist": _double_hist,
    "sort": _sort,
    "sort_unique": lambda: lib.make_sort_unique(rasp.tokens, rasp.tokens),
    "most_frequent": lambda: lib.make_sort_freq(PROGRAMS["most_frequent"].longest),
    "dyck1": lambda: _dyck("()"),
    "dyck2": lambda: _dyck("()", "[]"),
    "pair_balance": lambda: lib.make_pair_balance(rasp.tokens, "(", ")"),
    "frac_prevs": lambda: lib.make_frac_prevs(rasp.tokens == "x"),
    "first_occurrence": lambda: lib.make_hist() == 1,
    "count": _count,
    "detect_pattern": lambda: lib.detect_pattern(rasp.tokens, "ab"),
    "shift": lambda: lib.shift_by(1, rasp.tokens),
    "successor": _successor,
    "constant": lambda: rasp.Map(lambda token: "a", rasp.tokens),
}
