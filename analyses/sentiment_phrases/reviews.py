"""One-sentence reviews from templates, with the words that decide the sentiment known by construction."""

from collections.abc import Iterator
from itertools import cycle, product
from random import Random
from typing import NamedTuple

POSITIVE = tuple(
    "good great lovely wonderful brilliant charming delightful superb gripping clever funny moving".split()
)
NEGATIVE = tuple("bad awful boring terrible dreadful clumsy tedious dull lifeless stupid annoying messy".split())
NEUTRAL = tuple("long short new old french quiet loud early modern simple".split())
NOUNS = tuple("film plot music acting ending dialogue cast script opening scenery".split())
INTENSIFIERS = tuple("very really quite so".split())
FILLERS = ("on monday", "at the cinema", "with my friends", "last night", "after dinner", "in the big hall")
LINKS = ("and", "while", "but")
ADJECTIVES = {"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE}
CLASSES = tuple(ADJECTIVES)
OPPOSITE = {"negative": "positive", "neutral": "neutral", "positive": "negative"}
WORDS = sorted(
    {*POSITIVE, *NEGATIVE, *NEUTRAL, *NOUNS, *INTENSIFIERS, *LINKS, *" ".join(FILLERS).split(), "the", "was", "not"}
)


class Review(NamedTuple):
    """A sentence with its class.

    `word` is the place of the adjective that decides the class, `phrase` the places (start, end) of that adjective with
    what modifies it: "not very good". In a neutral review no word decides, and they are those of any adjective.
    """

    words: tuple[str, ...]
    label: str
    word: int
    phrase: tuple[int, int]

    @property
    def text(self) -> str:
        """The sentence."""
        return " ".join(self.words)

    @property
    def negated(self) -> bool:
        """Whether "not" belongs to that adjective."""
        return self.words[self.phrase[0]] == "not"


def reviews(rng: Random) -> Iterator[Review]:
    """Distinct reviews without end: adjectives of each class in turn, every third one with "not".

    Each has two clauses in either order; one of them is neutral, and negated as often as the other, so that neither an
    adjective nor the presence of "not" decides the class, only which adjective "not" belongs to. Reviews with two
    neutral clauses are a class of their own: otherwise one sentiment could be what a model says by default.
    """
    seen: set[str] = set()
    for kind, negated in cycle(product(CLASSES, (False, False, True))):
        review = _draw(rng, kind, negated)
        while review.text in seen:
            review = _draw(rng, kind, negated)
        seen.add(review.text)
        yield review


def _draw(rng: Random, kind: str, negated: bool) -> Review:
    clause = [*_subject(rng), *_predicate(rng, kind, negated)]
    neutral_clause = [*_subject(rng), *_predicate(rng, "neutral", rng.random() < 1 / 3)]
    filler, link = rng.choice(FILLERS).split(), [rng.choice(LINKS)]
    before, after = rng.choice([([], []), (filler, []), ([], filler)])
    if rng.random() < 0.5:
        before = [*before, *neutral_clause, *link]
    else:
        after = [*link, *neutral_clause, *after]
    start, end = len(before) + 3, len(before) + len(clause)
    return Review((*before, *clause, *after), OPPOSITE[kind] if negated else kind, end - 1, (start, end))


def _subject(rng: Random) -> list[str]:
    return ["the", rng.choice(NOUNS), "was"]


def _predicate(rng: Random, kind: str, negated: bool) -> list[str]:
    intensifier = [rng.choice(INTENSIFIERS)] if rng.random() < 0.5 else []
    return [*["not"] * negated, *intensifier, rng.choice(ADJECTIVES[kind])]
