"""Labels from files, generators and rules."""

import re
from random import Random

import pytest
from tiny import FAMILIES

from interp.core.errors import OptionError, PathError, PromptError
from interp.core.prompts import Prompts
from interp.corpus.labels import RULES, rule_places, rule_values
from interp.tasks.arrangement import arrangement
from interp.tasks.labelled_files import labelled_file
from interp.tasks.planted import planted


def test_a_file_of_either_kind(tiny, tmp_path):
    model = tiny("llama")
    (tmp_path / "x.jsonl").write_text(
        '{"text": "mary and john", "label": "yes", "group": "a", "position": -2}\n\n'
        '{"text": "the keys are in", "label": 0}\n{"text": "the keys are in", "label": "yes", "position": 1}\n'
    )
    items = labelled_file(model, tmp_path / "x.jsonl").items
    assert [(item.pos, item.label, item.group) for item in items] == [
        (1, "yes", "a"),
        (len(model.encode("the keys are in")) - 1, "0", "the keys are in"),
        (1, "yes", "the keys are in"),
    ]
    (tmp_path / "x.csv").write_text('text,label,position\n"mary, and john",yes,0\nthe keys,no,\n')
    given = labelled_file(model, tmp_path / "x.csv")
    assert given.texts == ("mary, and john", "the keys")
    assert given.hash != Prompts.of(model, list(given.texts)).hash


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.txt", "", "not a file of labelled prompts"),
        ("x.jsonl", "", "no prompt given|no token is labelled"),
        ("x.jsonl", "{", "row 1 is not JSON"),
        ("x.jsonl", "[1]", "row 1 has no text"),
        ("x.jsonl", '{"text": 3, "label": 1}', "its text is 3"),
        ("x.csv", "text,label\na,\n", "row 1 has no label"),
        ("x.csv", "text,label,position\na,b,c\n", "'c' is not a whole number"),
        ("x.csv", "text,label\na,b\nc,b\n", "every label is 'b'"),
        ("x.csv", "text,label,position\na,b,0\nc,d,9\n", "has positions 0 to 0, not 9"),
        ("x.csv", 'text,label\n"a', "not a .csv file"),
    ],
)
def test_files_that_cannot_be_used(name, text, words, tiny, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(PromptError, match=words) as caught:
        labelled_file(tiny("llama"), tmp_path / name)
    assert "\n" not in str(caught.value)
    with pytest.raises(PromptError, match="cannot read"):
        labelled_file(tiny("llama"), tmp_path / "absent.csv")
    with pytest.raises(PathError, match="is a folder"):
        labelled_file(tiny("llama"), tmp_path)


@pytest.mark.parametrize("family", FAMILIES)
def test_planted_names_are_labelled_at_their_last_token(family, tiny):
    model = tiny(family)
    given = planted(model, 30, Random(0))
    assert len(set(given.texts)) == 30
    for item in given.items:
        told = "".join(given.labels[item.row][: item.pos + 1]).lower().replace(" ", "")
        assert told.endswith(item.label.lower())
        assert item.label in given.texts[item.row]
    frames = [item.group for item in given.items]
    assert all(frames.count(frame) == 2 for frame in frames)
    with pytest.raises(PromptError, match="request fewer"):
        planted(model, 10**4, Random(0))


@pytest.mark.real_model
def test_steps_of_a_puzzle_are_true_where_the_clues_say_so(real_model):
    """The order is put together from the clues again."""
    given = arrangement(real_model, 8, Random(1))
    assert len(given.items) == 48
    for row, text in enumerate(given.texts):
        clues, steps = text.split("Therefore:")
        after = dict(re.findall(r"(\w+) sits directly left of (\w+)\.", clues))
        order = [next(name for name in after if name not in after.values())]
        while order[-1] in after:
            order.append(after[order[-1]])
        assert len(order) == 4
        said = re.findall(r"(\w+) sits left of (\w+)\.", steps)
        labels = [item.label for item in given.items if item.row == row]
        assert labels == ["true" if order.index(a) < order.index(b) else "false" for a, b in said]
        assert labels.count("true") == 3
        assert {given.labels[row][item.pos] for item in given.items if item.row == row} == {"."}


def test_rules(tiny):
    prompts = Prompts.of(tiny("llama"), ["mary and mary", "mary and mary", "keys"])
    places = rule_places(prompts, 0)
    assert {row for row, _ in places} == {0, 2}
    first = [(row, pos) for row, pos in places if row == 0]
    words = [prompts.labels[0][pos] for _, pos in first]
    assert rule_values(prompts, "seen", first, 0) == [word in words[:at] for at, word in enumerate(words)]
    assert rule_values(prompts, "half", [(0, 0), (0, 1), (0, 2)], 0)[0] is False
    assert RULES["word"]((" a", "b", "."), 1) is False
    assert RULES["word"](("[CLS]", "b", "##c"), 1) is True
    assert RULES["word"](("[CLS]", "b", "##c"), 2) is False


def test_no_text_for_a_program():
    import interp

    with pytest.raises((OptionError, PromptError), match="reads no text"):
        planted(interp.load("rasp/sort"), 4, Random(0))
