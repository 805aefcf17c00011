"""RASP as text: what a program means, what does not compile, and models that are their programs."""

from collections.abc import Sequence
from importlib.util import find_spec
from itertools import product

import pytest
import torch
from torch.testing import assert_close

import interp
from interp import groundtruth
from interp.core.errors import ModelError
from interp.models import Site
from interp.tasks.program import program_of, text_of
from interp.tasks.programs import PROGRAMS, Value
from interp.tasks.rasp import LONGEST_SOURCE, RaspError, meaning

needs_tracr = pytest.mark.skipif(find_spec("tracr") is None, reason="needs the extra groundtruth")

HIST = "same = select(tokens, tokens, ==);\nhist = selector_width(same);"
SORT = """
smaller = select(tokens, tokens, <) or (select(tokens, tokens, ==) and select(indices, indices, <));
rank = selector_width(smaller);
sort = aggregate(select(rank, indices, ==), tokens);
"""
RUNNING = "def share(which) { return aggregate(select(indices, indices, <=), which); }\n"
OURS = {
    "reverse": "reverse = aggregate(select(indices, length - 1 - indices, ==), tokens);",
    "hist": HIST,
    "sort": SORT,
    "most_frequent": HIST
    + """
    more = select(hist, hist, >) or (select(hist, hist, ==) and select(indices, indices, <));
    most_frequent = aggregate(select(selector_width(more), indices, ==), tokens);
    """,
    "double_hist": HIST
    + """
    first = selector_width(same and select(indices, indices, <)) == 0;
    kept = hist if first else 0;
    double_hist = selector_width(select(kept, hist, ==));
    """,
    "frac_prevs": RUNNING + 'frac_prevs = share(tokens == "x");',
    "pair_balance": RUNNING + 'pair_balance = share(tokens == "(") - share(tokens == ")");',
    "dyck1": RUNNING
    + """
    balance = share(tokens == "(") - share(tokens == ")");
    wrong = share(balance < 0) > 0;
    dyck1 = "F" if wrong else "T" if balance == 0 else "P";
    """,
    "first_occurrence": "first_occurrence = selector_width(select(tokens, tokens, ==)) == 1;",
    "count": 'count = selector_width(select(tokens, "a", ==));',
    "detect_pattern": """
    before = aggregate(select(indices, indices - 1, ==), tokens);
    detect_pattern = before == "a" and tokens == "b";  # blank at the first token
    """,
    "shift": "shift = aggregate(select(indices, indices - 1, ==), tokens);",
    "constant": 'constant = "a";',
}


def vocabulary(name: str) -> list[str]:
    return [str(symbol) for symbol in PROGRAMS[name].symbols]


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize("name", OURS)
def test_text_means_what_the_plain_function_says(name: str):
    ours = PROGRAMS[name]
    meant = meaning(OURS[name], vocabulary(name), ours.longest, ours.causal)
    for tokens in ours.inputs():
        assert list(meant.function(tokens)) == list(ours.function(tokens)), tokens


@needs_tracr
@pytest.mark.parametrize("name", ["reverse", "hist", "sort", "pair_balance", "detect_pattern", "dyck1"])
def test_a_model_is_its_program_on_every_input(name: str):
    """Every one, whatever the compiler has checked itself."""
    ours = PROGRAMS[name]
    model = groundtruth.compile(OURS[name], vocabulary(name), ours.longest, causal=ours.causal, dtype="float64")
    assert model.name.startswith(f"compiled/{name}-")
    inputs = list(ours.inputs())
    prompts = interp.Prompts.of(model, [text_of(tokens) for tokens in inputs])
    best = model.logits(prompts).argmax(-1)
    for tokens, row in zip(inputs, best, strict=True):
        for value, token in zip(ours.function(tokens), row[1 : 1 + len(tokens)].tolist(), strict=True):
            assert value is None or interp.tasks.programs.written(value) == model.token_label(token), tokens


def naive_majority(tokens: Sequence[Value]) -> list[str]:
    return ["T" if 2 * list(tokens).count("a") > len(tokens) else "F"] * len(tokens)


@needs_tracr
def test_averages_that_the_compiler_alone_gets_wrong():
    """tracr believes that shares are 1/n; 2/3 and 3/5 are shares too."""
    source = 'share = aggregate(select(tokens, tokens, ==) or not select(tokens, tokens, ==), tokens == "a"); '
    model = groundtruth.compile(source + 'majority = "T" if share > 1/2 else "F";', "a b", 5)
    program = groundtruth.program(model)
    for length in range(1, 6):
        for tokens in product("ab", repeat=length):
            best = model.logits(text_of(tokens))[0, 1:].argmax(-1).tolist()
            assert list(map(model.token_label, best)) == naive_majority(tokens) == list(program.function(tokens))


@needs_tracr
def test_what_follows_from_a_compiled_model(monkeypatch: pytest.MonkeyPatch):
    """Its task, its truth, its selectors; and it opens again without the compiler."""
    model = groundtruth.compile(HIST, "x y", 3, dtype="float64")
    pairs = interp.tasks.program(model, n=6)
    assert interp.tasks.task_accuracy(model, pairs).data["correct"].all()
    assert groundtruth.axes(model)[:2] == ("hist=0", "hist=1")
    circuit = interp.Circuit.of(interp.circuits.acdc(model, pairs, tau=1e-5))
    assert {edge.ends for edge in circuit.edges} == {
        edge.ends for edge in groundtruth.circuit(model, "effective").edges
    }
    pattern = model.record("x y x", [Site("pattern", 0)])[Site("pattern", 0)][0, 0, 1:]
    assert_close(pattern[0], torch.tensor([1, 1, 0, 1], dtype=pattern.dtype) / 3, atol=1e-9, rtol=0)
    monkeypatch.setattr("interp.groundtruth.from_rasp.find_spec", lambda name: None)
    assert interp.load(model.name).program == model.program
    assert groundtruth.compile(HIST, ["x", "y"], 3).name == model.name
    with pytest.raises(ModelError, match="needs tracr, which is not installed: pip install"):
        groundtruth.compile(HIST, "x y z", 3)


REFUSED = {
    "tokens + 1": "line 1, column 8: '+' takes numbers, not the token 'a'",
    "x = 1;\ny = foo(tokens)": "line 2, column 5: there is no function 'foo'",
    "bar": "line 1, column 1: there is no 'bar'",
    "select(tokens, tokens, ==)": "the last statement is a selector; aggregate it",
    "x = ": "line 1, column 5: expected a value, not 'the end'",
    "x = (tokens": "expected ')', not 'the end'",
    "tokens = 3;": "tokens is RASP's own",
    "1 = 2": "only a name can stand before '='",
    "tokens $": "line 1, column 8: '$' is no part of RASP",
    "select(tokens, tokens)": "select takes keys, queries and a comparison",
    "x = <;": "expected a value, not '<'",
    "f(<)": "there is no function 'f'",
    "def f(x) { x = 1; }": "f returns nothing",
    "def f(x) { return x; } f(1, 2)": "f takes 1 arguments, not 2",
    "def f(x) { return f(x); } f(tokens)": "there is no function 'f'",
    "def f(x) { return x; } f": "a function is no value; call it",
    "select(tokens, indices, <)": "'<' takes numbers, not the token 'a'",
    "tokens if tokens else 2": "'if' takes truth values, not a",
    "selector_width(tokens)": "selector_width needs a selector, as select gives it here",
    "aggregate(select(indices, indices, <), tokens == 1, 0)": "leave its default out",
    "select(tokens, tokens, ==) + 1": "'+' cannot take a selector here",
    "": "the program has no statement that gives its output",
    "x = tokens;" * 1000: f"has 11,000 characters; give at most {LONGEST_SOURCE:,}",
    "(" * 100 + "1": "more than 60 brackets or signs inside one another",
    "+".join(["1"] * 200): "more than 150 operators in one statement",
    "x = indices * 1000000000 * 10;": "'*' gives a number beyond",
    "x = indices + 10 * length; y = x + 100 * x + length * 1000 + indices * 7;": "fit; rewrite it",
    "x = indices; " + "x = abs(x - 1);" * 100: "more than 80 sequences; make it smaller",
    "x" * 50: "a name of 50 characters; give at most 40",
    "x = indices; y = indices + 1; " + "x = x == y; y = x == y;" * 20: "in too many ways; make the program smaller",
}


@pytest.mark.parametrize("source", REFUSED)
def test_what_does_not_compile_is_one_line(source: str):
    with pytest.raises(RaspError) as said:
        meaning(source, ["a", "b"], 4, False)
    assert REFUSED[source] in str(said.value)
    assert str(said.value).startswith("line ")
    assert len(str(said.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "longest", "said"),
    [
        (["a"], 4, "the vocabulary needs 2 to 16 words"),
        (["a", "b c"], 4, "the vocabulary needs 2 to 16 words"),
        (["a", "BOS"], 4, "BOS stands for no token"),
        (["a", "b"], 40, "give a length from 1 to 10"),
    ],
)
def test_inputs_that_are_none_are_refused(words: list[str], longest: int, said: str):
    with pytest.raises(RaspError, match=said):
        meaning("tokens", words, longest, False)


@needs_tracr
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("aggregate(select(indices, indices, <=), tokens)", "aggregate has to average a and b on the input 'a b'"),
        ("x = aggregate(select(indices, indices, <), 1 - 1 + 2 * indices);", "has to average 0 and 2"),
        (
            's = aggregate(select(indices, indices, <), tokens == "a"); t = 1 / s;',
            "there is no value where the average",
        ),
        ("aggregate(select(indices, indices + 9, ==), tokens)", "output is blank on every input"),
    ],
)
def test_what_weights_cannot_compute_is_one_line(source: str, said: str):
    with pytest.raises(RaspError, match=said) as error:
        groundtruth.compile(source, "a b", 4)
    assert len(str(error.value).splitlines()) == 1


def test_numbers_in_words_are_numbers():
    program = program_of(
        {"source": "double = tokens * 2 - 1/2;", "vocabulary": ["-1", "3"], "longest": 2, "causal": True}
    )
    assert program is not None
    assert [str(value) for value in program.function((-1, 3))] == ["-5/2", "11/2"]
