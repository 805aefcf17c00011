"""Subject-verb agreement across an attractor: the verb takes the subject's number, not the nearer noun's."""

from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Literal

from interp.core.errors import TargetError
from interp.core.language_model import LanguageModel
from interp.core.prompts import PromptPairs
from interp.tasks.examples import Example, draw, is_one_token, pairs_of
from interp.tasks.spec import TaskSpec

Forms = tuple[str, str]  # singular, plural

SUBJECTS: tuple[Forms, ...] = (
    ("key", "keys"), ("book", "books"), ("picture", "pictures"), ("letter", "letters"), ("road", "roads"),
    ("door", "doors"), ("box", "boxes"), ("table", "tables"), ("tree", "trees"), ("car", "cars"),
    ("boy", "boys"), ("girl", "girls"), ("teacher", "teachers"), ("doctor", "doctors"), ("student", "students"),
    ("author", "authors"), ("farmer", "farmers"), ("dog", "dogs"), ("bird", "birds"), ("horse", "horses"),
)  # fmt: skip
ATTRACTORS: tuple[Forms, ...] = (
    ("cabinet", "cabinets"), ("house", "houses"), ("garden", "gardens"), ("river", "rivers"), ("wall", "walls"),
    ("building", "buildings"), ("window", "windows"), ("chair", "chairs"), ("bridge", "bridges"), ("school", "schools"),
    ("store", "stores"), ("mountain", "mountains"),
)  # fmt: skip
FRAMES = ("The", "We know that the", "In the end, the", "Everyone says that the")
PREPOSITIONS = ("to", "near", "by", "behind", "beside", "from", "in front of")
VERBS: dict[str, tuple[Forms, ...]] = {
    "is": (("is", "are"),),
    "was": (("was", "were"),),
    "has": (("has", "have"),),
    "lexical": (
        ("seems", "seem"), ("looks", "look"), ("needs", "need"), ("makes", "make"), ("comes", "come"),
        ("stands", "stand"), ("remains", "remain"), ("appears", "appear"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class AgreementOptions:
    """Which verb is asked for, and what stands between subject and verb.

    `verb`: "is" (is / are), "was" (was / were), "has" (has / have), "lexical" (seems / seem, …) or "any" of these.
    `attractor`: number of the noun between: the "opposite" of the subject's, the "same", or "none" at all.
    """

    verb: Literal["any", "is", "was", "has", "lexical"] = "any"
    attractor: Literal["opposite", "same", "none"] = "opposite"


def make(model: LanguageModel, n: int, rng: Random, options: AgreementOptions) -> PromptPairs:
    """Pairs whose corrupted side flips the subject's number and nothing else; singular and plural in turn."""
    groups = list(VERBS) if options.verb == "any" else [options.verb]
    verbs = [
        [forms for forms in VERBS[group] if all(is_one_token(model, f" {verb}") for verb in forms)] for group in groups
    ]
    verbs = [forms for forms in verbs if forms]
    if not verbs:
        raise TargetError(
            f"{model.name} does not tokenise both forms of any verb in {', '.join(groups)} as one token; choose "
            "another verb, or a model with a larger vocabulary"
        )
    return pairs_of(model, draw(model, n, partial(_sample, rng, verbs, options.attractor)))


def _sample(rng: Random, verbs: list[list[Forms]], attractor: str, index: int) -> Example:
    number, frame = index % 2, rng.choice(FRAMES)
    subject, verb = rng.choice(SUBJECTS), rng.choice(rng.choice(verbs))
    between = ""
    if attractor != "none":
        noun = rng.choice(ATTRACTORS)[number if attractor == "same" else 1 - number]
        between = f" {rng.choice(PREPOSITIONS)} the {noun}"
    clean, corrupted = (f"{frame} {subject[form]}{between}" for form in (number, 1 - number))
    return Example(clean, corrupted, (f" {verb[number]}",), (f" {verb[1 - number]}",))


SPEC = TaskSpec(
    name="subject-verb-agreement",
    make=make,
    summary="The verb agrees with its subject across an attractor: “The keys to the cabinet” → “ are”, not “ is”.",
    source="Linzen et al. 2016; pairs as in Finlayson et al. 2021. Differs: own templates and nouns.",
    options=AgreementOptions,
)
