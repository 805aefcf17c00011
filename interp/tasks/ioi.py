"""Indirect object identification: the name that was not repeated comes next."""

from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Literal

from interp.core.language_model import LanguageModel
from interp.core.prompts import PromptPairs
from interp.tasks.examples import Example, draw, one_token_words, pairs_of
from interp.tasks.spec import TaskSpec

NAMES = (
    "Mary", "John", "Tom", "James", "Dan", "Sarah", "Kate", "Anna", "Emma", "Laura", "Michael", "David", "Peter",
    "Paul", "Robert", "Susan", "Linda", "Lisa", "Alice", "Bob", "Jack", "Kevin", "Brian", "Jason", "Rachel", "Amy",
    "Jessica", "Emily", "Sam", "Max", "Ben", "Adam", "Lucy", "Jane", "Martin", "George", "Henry", "William", "Thomas",
    "Charles", "Daniel", "Andrew", "Matthew", "Simon", "Frank", "Scott", "Eric", "Ryan", "Nick", "Chris", "Tim", "Jim",
    "Joe", "Mike", "Steve",
)  # fmt: skip
PLACES = ("store", "park", "school", "garden", "beach", "library", "office", "station", "museum", "market")
OBJECTS = ("drink", "book", "ring", "letter", "ball", "key", "map", "cake", "gift", "pen")
TEMPLATES = (
    "When {a} and {b} went to the {place}, {s} gave a {object} to",
    "After {a} and {b} came back from the {place}, {s} handed a {object} to",
    "While {a} and {b} were waiting at the {place}, {s} decided to give a {object} to",
    "Then, {a} and {b} met near the {place}. At noon, {s} passed a {object} to",
    "Last week {a} and {b} had a long talk at the {place}, and {s} sent a {object} to",
    "The {place} was quiet when {a} and {b} arrived. Soon {s} offered a {object} to",
)
Corruption = Literal["s2-io", "s2-third", "abc"]


@dataclass(frozen=True)
class IoiOptions:
    """How the corrupted prompt differs, and in which order the names first appear.

    `corruption`: "s2-io" puts the indirect object in place of the second subject, so the answer flips to the contrast;
    "s2-third" puts a third name there, so both names are equally right; "abc" replaces all names by three others.
    `order`: "ABBA" (indirect object first), "BABA" (subject first), or "both" in turn.
    """

    corruption: Corruption = "s2-io"
    order: Literal["both", "ABBA", "BABA"] = "both"


def make(model: LanguageModel, n: int, rng: Random, options: IoiOptions) -> PromptPairs:
    """Pairs whose answer is the indirect object and whose contrast is the subject."""
    least = {"s2-io": 2, "s2-third": 3, "abc": 5}[options.corruption]
    names = one_token_words(model, NAMES, least, "names")
    return pairs_of(model, draw(model, n, partial(_sample, rng, names, least, options)))


def _sample(rng: Random, names: list[str], count: int, options: IoiOptions, index: int) -> Example:
    people = rng.sample(names, count)
    io, subject = people[:2]
    template = rng.choice(TEMPLATES)
    scene = {"place": rng.choice(PLACES), "object": rng.choice(OBJECTS)}
    abba = options.order == "ABBA" or (options.order == "both" and index % 2 == 0)

    def write(io: str, subject: str, second: str) -> str:
        a, b = (io, subject) if abba else (subject, io)
        return template.format(a=a, b=b, s=second, **scene)

    corrupted = {"s2-io": (io, subject, io), "s2-third": (io, subject, people[-1]), "abc": tuple(people[-3:])}
    return Example(write(io, subject, subject), write(*corrupted[options.corruption]), (f" {io}",), (f" {subject}",))


SPEC = TaskSpec(
    name="ioi",
    make=make,
    summary="The name that was not repeated: “When Mary and John went to the store, John gave a drink to” → “ Mary”.",
    source="Wang et al. 2023, Interpretability in the Wild, section 2. Differs: own templates and names.",
    options=IoiOptions,
)
