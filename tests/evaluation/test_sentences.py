"""The grammar of the agreement benchmark."""

from collections import Counter
from itertools import islice
from random import Random

from interp.evaluation import sentences as grammar
from interp.evaluation.sentences import CONSTRUCTIONS, sentences

NUMBER = {form: number for noun in (*grammar.PEOPLE, *grammar.THINGS) for number, form in enumerate(noun)}
MANY = list(islice(sentences(Random(0)), 4000))


def words(text):
    return text.lower().replace(",", "").split()


def test_thousands_of_different_sentences():
    assert len({sentence.text for sentence in MANY}) == 4000
    assert list(islice(sentences(Random(0)), 100)) == MANY[:100]
    assert list(islice(sentences(Random(1)), 100)) != MANY[:100]


def test_singular_and_plural_in_every_construction_are_balanced():
    subjects = Counter((s.construction, NUMBER[s.text[slice(*s.subject)]]) for s in MANY)
    assert set(subjects) == {(name, number) for name in CONSTRUCTIONS for number in (0, 1)}
    assert max(subjects.values()) - min(subjects.values()) <= 1


def test_the_verb_has_the_number_of_the_subject_and_no_other_noun():
    """Every other noun is an attractor, so that the subject is all the evidence."""
    for s in MANY:
        number = NUMBER[s.text[slice(*s.subject)]]
        assert (s.right.strip(), s.wrong.strip()) in [verb[:: 1 - 2 * number] for verb in grammar.VERBS]
        others = [word for word in words(s.text) if word in NUMBER and word != s.text[slice(*s.subject)]]
        assert others
        assert {NUMBER[word] for word in others} == {1 - number}
        assert s.text[slice(*s.last_noun)] == [word for word in words(s.text) if word in NUMBER][-1]


def test_no_other_word_shows_a_number():
    present = {form for verb in grammar.VERBS for form in verb}
    for s in MANY:
        assert not present & set(words(s.text))
        assert not {"a", "an", "this", "these", "that's"} & set(words(s.text))
        assert not set("[]{}") & set(s.text)
        assert s.text[0].isupper()
