"""What each task asks, checked against plain readings of its prompts."""

import re
from collections import Counter

import pytest

from interp import tasks
from interp.core.errors import TargetError
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs
from interp.tasks.facts import COUNTRIES
from interp.tasks.ioi import NAMES
from interp.tasks.subject_verb_agreement import ATTRACTORS, SUBJECTS, VERBS


def asked(pairs: PromptPairs) -> Metric:
    assert pairs.metric is not None
    return pairs.metric


def rows(pairs):
    """Each pair as (clean, corrupted, right answer, wrong answer), in words."""
    metric = asked(pairs)
    sides = pairs.clean.texts, pairs.corrupted.texts
    return list(zip(*sides, metric.target_labels, metric.contrast_labels or (), strict=True))


def names_in(text):
    return [word for word in re.findall(r"\w+", text) if word in NAMES]


def test_ioi_asks_for_the_name_that_stands_once(words):
    for clean, _, right, wrong in rows(tasks.ioi(words(), n=40)):
        count = Counter(names_in(clean))
        assert count == {right.strip(): 1, wrong.strip(): 2}


def test_ioi_s2_io_flips_the_answer(words):
    for clean, corrupted, right, wrong in rows(tasks.ioi(words(), n=40)):
        assert Counter(names_in(corrupted)) == {right.strip(): 2, wrong.strip(): 1}
        assert names_in(corrupted)[:2] == names_in(clean)[:2]


def test_ioi_s2_third_leaves_both_names_once(words):
    for _, corrupted, right, wrong in rows(tasks.ioi(words(), n=40, corruption="s2-third")):
        count = Counter(names_in(corrupted))
        assert len(count) == 3
        assert count[right.strip()] == count[wrong.strip()] == 1


def test_ioi_abc_keeps_no_name_and_repeats_none(words):
    for clean, corrupted, _, _ in rows(tasks.ioi(words(), n=40, corruption="abc")):
        assert len(set(names_in(corrupted))) == 3
        assert not set(names_in(corrupted)) & set(names_in(clean))


@pytest.mark.parametrize(("order", "indirect_object_first"), [("both", 20), ("ABBA", 40), ("BABA", 0)])
def test_ioi_orders_are_balanced(words, order, indirect_object_first):
    found = rows(tasks.ioi(words(), n=40, order=order))
    assert sum(names_in(clean)[0] == right.strip() for clean, _, right, _ in found) == indirect_object_first


@pytest.mark.parametrize("attractor", ["opposite", "same", "none"])
def test_agreement_takes_the_subjects_number(words, attractor):
    forms = {noun: number for pair in SUBJECTS for number, noun in enumerate(pair)}
    between = {noun: number for pair in ATTRACTORS for number, noun in enumerate(pair)}
    verbs = {f" {verb}": number for group in VERBS.values() for pair in group for number, verb in enumerate(pair)}
    found = rows(tasks.subject_verb_agreement(words(), n=40, attractor=attractor))
    for clean, corrupted, right, wrong in found:
        subject, flipped = (next(word for word in text.split() if word in forms) for text in (clean, corrupted))
        assert verbs[right] == forms[subject] == 1 - forms[flipped] == 1 - verbs[wrong]
        assert clean.replace(subject, flipped, 1) == corrupted
        nouns = [between[word] for word in clean.split() if word in between]
        expected = {"opposite": [1 - forms[subject]], "same": [forms[subject]], "none": []}
        assert nouns == expected[attractor]
    assert sum(verbs[right] for _, _, right, _ in found) == 20


@pytest.mark.parametrize("verb", list(VERBS))
def test_agreement_asks_only_the_verb_named(words, verb):
    allowed = {tuple(f" {form}" for form in forms) for forms in VERBS[verb]}
    found = rows(tasks.subject_verb_agreement(words(), n=20, verb=verb))
    assert all((right, wrong) in allowed or (wrong, right) in allowed for *_, right, wrong in found)


@pytest.mark.parametrize(("digits", "size"), [(r"\d", 1), (r"\d{1,2}", 2)], ids=["digit", "two-digit"])
def test_greater_than_sets_part_all_continuations(words, digits, size):
    """Every continuation is in exactly one set, and in the right one for every year that it can begin."""
    model = words(digits=digits)
    pairs = tasks.greater_than(model, n=60)
    metric = asked(pairs)
    assert metric.scale == "prob"
    for text, targets, contrasts in zip(pairs.clean.texts, metric.targets, metric.contrasts or (), strict=True):
        start, century = re.findall(r"\d+", text)
        pieces = {model.token_label(token): token in targets for token in targets + contrasts}
        assert len(pieces) == len(targets) + len(contrasts) == 10**size
        for piece, greater in pieces.items():
            ends = [int(century + piece + rest) for rest in ([""] if size == 2 else "0123456789")]
            assert all((end > int(start)) == greater for end in ends)


@pytest.mark.parametrize("digits", [r"\d", r"\d{1,2}"])
def test_greater_than_corruption_starts_in_the_year_one(words, digits):
    for clean, corrupted, *_ in rows(tasks.greater_than(words(digits=digits), n=20)):
        assert re.sub(r"(\d\d)\d\d", r"\g<1>01", clean) == corrupted


def test_greater_than_refuses_other_digits(words):
    with pytest.raises(
        TargetError, match="words tokenises 1739 as  173·9; greater-than needs two-digit or digit tokens"
    ):
        tasks.greater_than(words(digits=r"\d{1,3}"))
    with pytest.raises(TargetError, match="needs two-digit tokens"):
        tasks.greater_than(words(), form="two-digit")


def test_induction_asks_for_what_followed_before(words):
    model = words()
    pairs = tasks.induction(model, n=20, length=7)
    metric = asked(pairs)
    for clean, corrupted, right, wrong in zip(
        pairs.clean.tokens.tolist(),
        pairs.corrupted.tokens.tolist(),
        metric.targets,
        metric.contrasts or (),
        strict=True,
    ):
        assert clean[0] == corrupted[0] == model.encode("")[0]
        first, again = clean[1:8], clean[8:]
        assert first[:6] == again
        assert len(set(first)) == 7
        assert right == (first[first.index(again[-1]) + 1],)
        assert wrong[0] in again
        assert corrupted[8:] == again
        assert len(set(corrupted)) == len(corrupted)
        assert right[0] not in corrupted


def defined_and_documented(text):
    defined = re.search(r"self, (.*)\)", text)
    assert defined is not None
    return defined[1].split(", "), re.findall(r":param (\w+):", text)


def test_docstring_asks_for_the_next_argument(words):
    model = words()
    pairs = tasks.docstring(model, n=20)
    metric = asked(pairs)
    for text, right, wrong in zip(pairs.clean.texts, metric.targets, metric.contrasts or (), strict=True):
        defined, documented = defined_and_documented(text)
        assert len(set(re.findall(r"\w+", text)) - {"def", "self", "param"}) == 4 + 8
        assert defined[:2] == documented
        assert [model.token_label(token) for token in right] == [f" {defined[2]}"]
        assert {model.token_label(token) for token in wrong} == {f" {defined[i]}" for i in (0, 1, 3)}


@pytest.mark.parametrize("corruption", ["random-both", "random-definition", "random-docstring"])
def test_docstring_corruption_destroys_the_answer(words, corruption):
    for clean, corrupted, right, _ in rows(tasks.docstring(words(), n=20, corruption=corruption)):
        defined, documented = defined_and_documented(corrupted)
        old_defined, old_documented = defined_and_documented(clean)
        assert (documented == old_documented) == (corruption == "random-definition")
        assert (defined == old_defined) == (corruption == "random-docstring")
        assert (right.strip() in defined) == (corruption == "random-docstring")
        assert not set(defined) & set(documented)


@pytest.mark.parametrize("relation", ["capital", "language", "continent"])
def test_facts_are_the_tables(words, relation):
    table = {country.name: f" {getattr(country, relation)}" for country in COUNTRIES}
    for clean, corrupted, right, wrong in rows(tasks.facts(words(), n=40, relation=relation)):
        names = [next(name for name in table if name in text) for text in (clean, corrupted)]
        assert [table[name] for name in names] == [right, wrong]
        assert right != wrong
        assert clean.replace(names[0], names[1]) == corrupted
