"""Facts: capitals, languages and continents of countries."""

from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Literal, NamedTuple

from interp.core.errors import TargetError
from interp.core.language_model import LanguageModel
from interp.core.prompts import PromptPairs
from interp.tasks.examples import Example, draw, is_one_token, pairs_of
from interp.tasks.spec import TaskSpec


class Country(NamedTuple):
    """One row of the table; an empty cell is not asked, because it has no one answer or none of one word."""

    name: str
    capital: str
    language: str
    continent: str


COUNTRIES = (
    Country("France", "Paris", "French", "Europe"),
    Country("Germany", "Berlin", "German", "Europe"),
    Country("Italy", "Rome", "Italian", "Europe"),
    Country("Spain", "Madrid", "Spanish", "Europe"),
    Country("Portugal", "Lisbon", "Portuguese", "Europe"),
    Country("England", "London", "English", "Europe"),
    Country("Scotland", "Edinburgh", "", "Europe"),
    Country("Ireland", "Dublin", "", "Europe"),
    Country("Austria", "Vienna", "German", "Europe"),
    Country("Belgium", "Brussels", "", "Europe"),
    Country("Greece", "Athens", "Greek", "Europe"),
    Country("Poland", "Warsaw", "Polish", "Europe"),
    Country("Hungary", "Budapest", "Hungarian", "Europe"),
    Country("Romania", "Bucharest", "Romanian", "Europe"),
    Country("Bulgaria", "Sofia", "Bulgarian", "Europe"),
    Country("Serbia", "Belgrade", "Serbian", "Europe"),
    Country("Croatia", "Zagreb", "Croatian", "Europe"),
    Country("Sweden", "Stockholm", "Swedish", "Europe"),
    Country("Denmark", "Copenhagen", "Danish", "Europe"),
    Country("Norway", "Oslo", "Norwegian", "Europe"),
    Country("Finland", "Helsinki", "Finnish", "Europe"),
    Country("Russia", "Moscow", "Russian", ""),
    Country("Japan", "Tokyo", "Japanese", "Asia"),
    Country("China", "Beijing", "Chinese", "Asia"),
    Country("South Korea", "Seoul", "Korean", "Asia"),
    Country("Thailand", "Bangkok", "Thai", "Asia"),
    Country("Vietnam", "Hanoi", "Vietnamese", "Asia"),
    Country("Indonesia", "Jakarta", "Indonesian", "Asia"),
    Country("Nepal", "Kathmandu", "Nepali", "Asia"),
    Country("Iran", "Tehran", "Persian", "Asia"),
    Country("Iraq", "Baghdad", "Arabic", "Asia"),
    Country("Syria", "Damascus", "Arabic", "Asia"),
    Country("Lebanon", "Beirut", "Arabic", "Asia"),
    Country("Saudi Arabia", "Riyadh", "Arabic", "Asia"),
    Country("Egypt", "Cairo", "Arabic", "Africa"),
    Country("Libya", "Tripoli", "Arabic", "Africa"),
    Country("Tunisia", "Tunis", "Arabic", "Africa"),
    Country("Algeria", "Algiers", "Arabic", "Africa"),
    Country("Kenya", "Nairobi", "", "Africa"),
    Country("Nigeria", "Abuja", "", "Africa"),
    Country("Senegal", "Dakar", "French", "Africa"),
    Country("Ghana", "Accra", "", "Africa"),
    Country("Angola", "Luanda", "Portuguese", "Africa"),
    Country("Mozambique", "Maputo", "Portuguese", "Africa"),
    Country("Canada", "Ottawa", "", ""),
    Country("Cuba", "Havana", "Spanish", ""),
    Country("Peru", "Lima", "Spanish", ""),
    Country("Chile", "Santiago", "Spanish", ""),
    Country("Ecuador", "Quito", "Spanish", ""),
    Country("Venezuela", "Caracas", "Spanish", ""),
    Country("Australia", "Canberra", "English", ""),
)
RELATIONS = {
    "capital": (
        "The capital of {country} is",
        "The capital city of {country} is called",
        "In {country}, the capital is",
    ),
    "language": ("The official language of {country} is", "In {country}, most people speak"),
    "continent": ("{country} lies on the continent of", "On a map of the world, {country} is found in"),
}


@dataclass(frozen=True)
class FactsOptions:
    """`relation`: what is asked about a country; "any" takes the three in turn."""

    relation: Literal["any", "capital", "language", "continent"] = "capital"


def make(model: LanguageModel, n: int, rng: Random, options: FactsOptions) -> PromptPairs:
    """Pairs that name two countries; the answer is the clean one's, the contrast the corrupted one's."""
    relations = list(RELATIONS) if options.relation == "any" else [options.relation]
    by_relation = {relation: _countries(model, relation) for relation in relations}
    for relation, countries in by_relation.items():
        if len({getattr(country, relation) for country in countries}) < 2:
            raise TargetError(
                f"{model.name} tokenises too few answers to “{relation}” as one token; choose another relation, or a "
                "model with a larger vocabulary"
            )
    return pairs_of(model, draw(model, n, partial(_sample, rng, by_relation)))


def _countries(model: LanguageModel, relation: str) -> list[Country]:
    countries = [country for country in COUNTRIES if getattr(country, relation)]
    return [country for country in countries if is_one_token(model, f" {getattr(country, relation)}")]


def _sample(rng: Random, by_relation: dict[str, list[Country]], index: int) -> Example:
    relation = list(by_relation)[index % len(by_relation)]
    clean = rng.choice(by_relation[relation])
    answer = getattr(clean, relation)
    corrupted = rng.choice([country for country in by_relation[relation] if getattr(country, relation) != answer])
    template = rng.choice(RELATIONS[relation])
    return Example(
        template.format(country=clean.name),
        template.format(country=corrupted.name),
        (f" {answer}",),
        (f" {getattr(corrupted, relation)}",),
    )


SPEC = TaskSpec(
    name="facts",
    make=make,
    summary="Capitals, languages and continents: “The capital of France is” → “ Paris”.",
    source="Relations as in Hernandez et al. 2024, Linearity of Relation Decoding. Differs: own table and templates.",
    options=FactsOptions,
)
