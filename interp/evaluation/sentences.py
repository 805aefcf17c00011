"""A grammar of English clauses up to their verb, in which another noun stands between subject and verb, or before.

The subject is the only word whose number decides the verb's form: determiners are "the", and every other verb is in
the past tense, which has one form for both numbers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import NamedTuple

Forms = tuple[str, str]  # singular, plural

PEOPLE: tuple[Forms, ...] = (
    ("boy", "boys"), ("girl", "girls"), ("man", "men"), ("woman", "women"), ("child", "children"),
    ("teacher", "teachers"), ("doctor", "doctors"), ("student", "students"), ("author", "authors"),
    ("farmer", "farmers"), ("lawyer", "lawyers"), ("artist", "artists"), ("pilot", "pilots"), ("singer", "singers"),
    ("painter", "painters"), ("writer", "writers"), ("driver", "drivers"), ("worker", "workers"),
    ("soldier", "soldiers"), ("actor", "actors"), ("nurse", "nurses"), ("guest", "guests"), ("tourist", "tourists"),
    ("visitor", "visitors"), ("neighbor", "neighbors"), ("scientist", "scientists"), ("engineer", "engineers"),
    ("gardener", "gardeners"), ("librarian", "librarians"), ("carpenter", "carpenters"),
)  # fmt: skip
THINGS: tuple[Forms, ...] = (
    ("key", "keys"), ("book", "books"), ("picture", "pictures"), ("letter", "letters"), ("door", "doors"),
    ("box", "boxes"), ("table", "tables"), ("car", "cars"), ("boat", "boats"), ("lamp", "lamps"), ("chair", "chairs"),
    ("house", "houses"), ("garden", "gardens"), ("bridge", "bridges"), ("window", "windows"), ("cabinet", "cabinets"),
    ("tree", "trees"), ("building", "buildings"), ("wall", "walls"), ("store", "stores"), ("school", "schools"),
    ("tower", "towers"), ("clock", "clocks"), ("painting", "paintings"), ("statue", "statues"), ("piano", "pianos"),
    ("bicycle", "bicycles"), ("truck", "trucks"), ("basket", "baskets"), ("bottle", "bottles"),
)  # fmt: skip
PREPOSITIONS = ("near", "by", "behind", "beside", "in front of", "next to", "across from")
TRANSITIVE = ("greeted", "admired", "helped", "followed", "noticed", "visited", "remembered", "thanked", "avoided")
PARTICIPLES = ("standing", "waiting", "sitting", "working", "resting")
REPORTING = ("said", "thought", "knew", "heard", "believed")
VERBS: tuple[Forms, ...] = (
    ("is", "are"), ("was", "were"), ("has", "have"), ("seems", "seem"), ("looks", "look"), ("needs", "need"),
    ("remains", "remain"), ("appears", "appear"),
)  # fmt: skip


class Sentence(NamedTuple):
    """A clause up to its verb; spans are (start, end) in the text's characters."""

    text: str
    right: str
    wrong: str
    construction: str
    subject: tuple[int, int]
    last_noun: tuple[int, int]


@dataclass(frozen=True)
class _Draw:
    """What a construction draws its words with: `number` is the subject's, every attractor has the other one."""

    rng: Random
    number: int

    def subject(self, nouns: tuple[Forms, ...]) -> str:
        """A subject, marked by brackets."""
        return f"[{self.rng.choice(nouns)[self.number]}]"

    def attractor(self, nouns: tuple[Forms, ...]) -> str:
        """A noun of the other number, marked by braces."""
        return f"{{{self.rng.choice(nouns)[1 - self.number]}}}"

    def place(self) -> str:
        """Where something is: a preposition and an attractor."""
        return f"{self.rng.choice(PREPOSITIONS)} the {self.attractor(THINGS)}"

    def past(self) -> str:
        """A transitive verb."""
        return self.rng.choice(TRANSITIVE)


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


CONSTRUCTIONS: dict[str, Callable[[_Draw], str]] = {
    "prepositional phrase": lambda d: f"The {d.subject(THINGS)} {d.place()}",
    "two prepositional phrases": lambda d: f"The {d.subject(THINGS)} {d.place()} {d.place()}",
    "subject relative clause": lambda d: f"The {d.subject(PEOPLE)} who {d.past()} the {d.attractor(PEOPLE)}",
    "object relative clause": lambda d: f"The {d.subject(PEOPLE)} that the {d.attractor(PEOPLE)} {d.past()}",
    "coordinated predicate": lambda d: f"The {d.subject(PEOPLE)} {d.past()} the {d.attractor(PEOPLE)} and",
    "participial phrase": lambda d: f"The {d.subject(PEOPLE)} {d.rng.choice(PARTICIPLES)} {d.place()}",
    "adverbial after": lambda d: f"The {d.subject(PEOPLE)}, unlike the {d.attractor(PEOPLE)},",
    "adverbial before": lambda d: f"{_upper(d.place())}, the {d.subject(THINGS)}",
    "complement clause": lambda d: f"The {d.attractor(PEOPLE)} {d.rng.choice(REPORTING)} that the {d.subject(PEOPLE)}",
}


def sentences(rng: Random) -> Iterator[Sentence]:
    """Different sentences without end: the constructions in turn, each with singular and plural subjects in turn."""
    earlier: set[str] = set()
    for index in count():
        name = list(CONSTRUCTIONS)[index % len(CONSTRUCTIONS)]
        number = index // len(CONSTRUCTIONS) % 2
        while True:
            template = CONSTRUCTIONS[name](_Draw(rng, number))
            if template not in earlier:
                break
        earlier.add(template)
        yield _sentence(template, name, rng.choice(VERBS), number)


def _sentence(template: str, construction: str, verb: Forms, number: int) -> Sentence:
    """A sentence from its text with brackets around the subject and braces around the attractors."""
    text, starts, spans = "", [], []
    for letter in template:
        if letter in "[{":
            starts.append(len(text))
        elif letter in "]}":
            spans.append((starts.pop(), len(text), letter == "]"))
        else:
            text += letter
    (subject,) = [(start, end) for start, end, is_subject in spans if is_subject]
    last_start, last_end, _ = max(spans)
    return Sentence(text, f" {verb[number]}", f" {verb[1 - number]}", construction, subject, (last_start, last_end))
