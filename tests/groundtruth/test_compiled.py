"""Compiled programs are their programs on every input, and their circuits exactly what the compiler says."""

import pytest
import torch
from plain_compiled import Definition
from torch.testing import assert_close

import interp
from interp import groundtruth
from interp.core.errors import CorpusError, EngineError, ModelError, OptionError, PromptError
from interp.corpus.windows import Windows
from interp.models import HookedModel, Site
from interp.tasks.program import text_of
from interp.tasks.programs import COMPILED, PROGRAMS, written

NAMES = tuple(name.removeprefix("rasp/") for name in groundtruth.names("rasp"))
every_program = pytest.mark.parametrize("name", NAMES)
FEW = ("reverse", "double_hist", "frac_prevs")


@pytest.fixture(scope="module")
def compiled():
    """Models by program, each loaded once."""
    models: dict[str, HookedModel] = {}

    def load(name: str) -> HookedModel:
        if name not in models:
            models[name] = groundtruth.load(name, dtype="float64")
        return models[name]

    return load


def outputs_of(model: HookedModel, prompts: interp.Prompts) -> list[list[str]]:
    best = model.logits(prompts).argmax(-1)
    rows = [row[keep][1:].tolist() for row, keep in zip(best, prompts.mask, strict=True)]
    return [list(map(model.token_label, row)) for row in rows]


@every_program
def test_it_is_its_program_on_every_input(compiled, name: str):
    """Short and long inputs in one batch: a bidirectional program must not see padding."""
    model, program = compiled(name), PROGRAMS[name]
    inputs = list(program.inputs())
    prompts = interp.Prompts.of(model, [text_of(tokens) for tokens in inputs])
    for tokens, outputs in zip(inputs, outputs_of(model, prompts), strict=True):
        values = program.function(tokens)
        wanted = [output if value is None else written(value) for value, output in zip(values, outputs, strict=True)]
        assert outputs == wanted, tokens


def test_there_are_enough_programs_causal_and_not():
    assert len(NAMES) >= 14
    assert {program.causal for program in PROGRAMS.values()} == {True, False}
    assert set(COMPILED) == set(NAMES)


@every_program
def test_all_parts_can_be_computed_again(compiled, name: str):
    model = compiled(name)
    assert model.architecture.stream == "bare"
    assert model.is_causal == PROGRAMS[name].causal
    assert not any(model.obstacles.parts.values())
    assert not model.obstacles.read
    assert not model.obstacles.edit


@every_program
def test_logits_are_those_of_the_definition(compiled, name: str):
    model = compiled(name)
    pairs = interp.tasks.program(model, n=8)
    assert_close(model.logits(pairs.clean), Definition(name).run(pairs.clean.tokens).logits, atol=1e-12, rtol=0)


@every_program
def test_no_edge_outside_the_static_circuit_has_any_effect(compiled, name: str):
    """All of them at once, and exactly none: what they carry is multiplied by zeros."""
    model, circuit = compiled(name), groundtruth.circuit(name)
    pairs, definition = interp.tasks.program(model, n=24), Definition(name)
    clean, corrupted = (definition.run(side.tokens) for side in (pairs.clean, pairs.corrupted))
    graph, inside = circuit.graph, {edge.ends[:2] for edge in circuit.edges}
    outside = [
        (sender, receiver)
        for row, sender in enumerate(graph.senders)
        for column, receiver in enumerate(graph.receivers)
        if graph.present[row, column] and (sender, receiver) not in inside
    ]
    assert len(outside) + len(inside) == graph.edge_count
    assert torch.equal(definition.run(pairs.clean.tokens, corrupted, outside).logits, clean.logits)
    for edge in outside[:: max(1, len(outside) // 5)]:
        assert torch.equal(definition.run(pairs.clean.tokens, corrupted, [edge]).logits, clean.logits), edge


@every_program
def test_effective_edges_are_those_that_move_a_logit(compiled, name: str):
    pairs, definition = interp.tasks.program(compiled(name), n=24), Definition(name)
    clean, corrupted = (definition.run(side.tokens) for side in (pairs.clean, pairs.corrupted))
    rows, positions = torch.arange(len(pairs)), torch.tensor(pairs.metric.positions)
    effective = {edge.ends[:2] for edge in groundtruth.circuit(name, "effective").edges}
    for edge in (edge.ends[:2] for edge in groundtruth.circuit(name).edges):
        change = (definition.run(pairs.clean.tokens, corrupted, [edge]).logits - clean.logits)[rows, positions]
        assert (float(change.abs().max()) > 1e-9) == (edge in effective), edge


@every_program
def test_the_effective_circuit_alone_answers_as_the_model(compiled, name: str):
    pairs, definition = interp.tasks.program(compiled(name), n=24), Definition(name)
    clean, corrupted = (definition.run(side.tokens) for side in (pairs.clean, pairs.corrupted))
    graph = groundtruth.circuit(name).graph
    effective = {edge.ends[:2] for edge in groundtruth.circuit(name, "effective").edges}
    rest = {(sender, receiver) for sender in graph.senders for receiver in graph.receivers} - effective
    logits, rows, positions = (
        definition.run(pairs.clean.tokens, corrupted, rest).logits,
        torch.arange(len(pairs)),
        torch.tensor(pairs.metric.positions),
    )
    assert_close(logits[rows, positions], clean.logits[rows, positions], atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", [*FEW, *(pytest.param(n, marks=pytest.mark.full) for n in NAMES if n not in FEW)])
def test_acdc_finds_exactly_the_effective_edges(compiled, name: str):
    model = compiled(name)
    circuit = interp.Circuit.of(interp.circuits.acdc(model, interp.tasks.program(model, n=24), tau=1e-5))
    assert {e.ends for e in circuit.edges} == {e.ends for e in groundtruth.circuit(name, "effective").edges}


@every_program
def test_axes_hold_what_they_are_called(compiled, name: str):
    """The last stream's axes of the output are the program's values, and the embedding's those of the tokens."""
    model, program, axes = compiled(name), PROGRAMS[name], groundtruth.axes(name)
    assert axes == groundtruth.axes(model)
    assert len(axes) == len(set(axes)) == model.dims.d_model
    tokens = next(iter(reversed(list(program.inputs()))))
    trace = model.record(text_of(tokens), [Site("resid_pre", 0), Site("resid_post", model.dims.layers - 1)])
    first, last = (value[0, 1:] for value in trace.values())
    for position, (token, value) in enumerate(zip(tokens, program.function(tokens), strict=True)):
        assert first[position, axes.index(f"tokens={token}")] == 1
        assert first[position, axes.index(f"indices={position}")] == 1
        if name in axes and value is not None:
            assert_close(last[position, axes.index(name)].item(), float(value), atol=1e-6, rtol=0)
        elif value is not None:
            holds = {
                axis.split("=")[1]: float(last[position, at])
                for at, axis in enumerate(axes)
                if axis.startswith(f"{name}=")
            }
            assert holds == {each: pytest.approx(float(each == written(value)), abs=1e-5) for each in holds}


def test_attention_is_the_selector(compiled):
    """reverse: each position attends to the one opposite."""
    pattern = compiled("reverse").record("a b c d", [Site("pattern", 3)])[Site("pattern", 3)][0, 0, 1:, 1:]
    assert_close(pattern, torch.eye(4, dtype=pattern.dtype).flip(0), atol=1e-9, rtol=0)


@every_program
def test_its_task_asks_what_the_program_answers(compiled, name: str):
    model = compiled(name)
    pairs = interp.tasks.program(model, n=20)
    accuracy = interp.tasks.task_accuracy(model, pairs).data
    assert accuracy["correct"].all()
    assert interp.tasks.program(model, n=8).hash == pairs[:8].hash
    corrupted = model.logits(pairs.corrupted)[torch.arange(20), torch.tensor(pairs.metric.positions)]
    differs = corrupted.argmax(-1) != torch.tensor(pairs.metric.targets)[:, 0]
    assert differs.all() or name == "constant"


def test_compiled_programs_are_listed_and_opened_by_name(compiled):
    from interp.models.inventory import inventory

    listed = {files.name: files for files in inventory()}
    assert all(f"rasp/{name}" in listed for name in NAMES)
    assert listed["rasp/hist"].origin == "packaged"
    assert interp.load("rasp/hist").program == "hist"
    circuit = groundtruth.circuit("hist")
    circuit.require_model(compiled("hist"))
    assert circuit.nodes


def test_what_there_is_not_is_named(compiled):
    for load in (interp.load, groundtruth.load):
        with pytest.raises(ModelError, match="no model .*'.*revers'; choose one of .*reverse"):
            load("rasp/revers")
    with pytest.raises(OptionError, match="edges = 'all'; choose static or effective"):
        groundtruth.circuit("hist", "all")
    with pytest.raises(PromptError, match="'UNKNOWN'.*beyond the embedding of rasp/hist"):
        compiled("hist").logits("a b z")
    with pytest.raises(PromptError, match="exceeds the context of 6"):
        compiled("hist").logits("a b a b a b")
    with pytest.raises(EngineError, match="ioi does not support rasp/hist: .* use the task program"):
        interp.tasks.ioi(compiled("hist"))


def test_other_models_run_no_program(tiny):
    with pytest.raises(EngineError, match="program does not support .*: it is not compiled from a program"):
        interp.tasks.program(tiny("gpt2"))


@pytest.mark.full
@every_program
def test_building_again_gives_the_same_files(tmp_path, name: str):
    pytest.importorskip("tracr")
    from interp.groundtruth.build import build
    from interp.models.sources import KNOWN_FOLDER

    folder = build(PROGRAMS[name], tmp_path)
    files = sorted(path.name for path in folder.iterdir())
    assert files == sorted(path.name for path in (KNOWN_FOLDER / "rasp" / name).iterdir())
    assert all((folder / file).read_bytes() == (KNOWN_FOLDER / "rasp" / name / file).read_bytes() for file in files)


def test_a_text_in_other_words_is_refused(compiled, tmp_path):
    (tmp_path / "words.txt").write_text("a b c d e f g")
    with pytest.raises(CorpusError, match="'UNKNOWN'.*beyond the embedding of rasp/shift"):
        Windows.cut(compiled("shift"), str(tmp_path / "words.txt"), windows=1, length=6)
    with pytest.raises(PromptError, match="'2' is an output of rasp/hist and no input; give a, b, c, d"):
        compiled("hist").logits("a 2 b")
    interp.Prompts.of(compiled("hist"), "a b", target="2", contrast="1")


@pytest.mark.parametrize("name", ["hist_bos", "sort_unique", "dyck1"])
def test_its_corpus_is_inputs_of_its_own(compiled, name: str):
    model, program = compiled(name), PROGRAMS[name]
    length = model.context_length
    windows = Windows.cut(model, windows=40, length=length, seed=1)
    assert windows.corpus == "program"
    assert len(windows) == 40
    inputs = {text_of(tokens) for tokens in program.inputs()}
    assert {" ".join(model.token_label(token) for token in row[1:]) for row in windows.tokens.tolist()} <= inputs
    assert windows.hash == Windows.cut(model, "program", windows=40, length=length, seed=1).hash
    assert windows.hash != Windows.cut(model, windows=40, length=length, seed=2).hash


def test_other_models_have_no_program_to_read(tiny):
    with pytest.raises(CorpusError, match="is not compiled from a program; give another corpus than program"):
        Windows.cut(tiny("gpt2"), "program", windows=2, length=8)


@every_program
def test_every_head_attends_as_its_selector_says(compiled, name: str):
    """The pattern is the selector's keys in equal shares, with BOS where they are counted or there are none."""
    model = compiled(name)
    inputs = [text_of(tokens) for tokens in list(PROGRAMS[name].inputs())[-40:]]
    known = groundtruth.selectors(model)
    heads = {sender for sender in groundtruth.circuit(name).nodes if sender[0] == "a"}
    assert heads <= set(known)
    for head in known:
        layer, index = map(int, head[1:].split("."))
        result = groundtruth.selections(model, list(dict.fromkeys(inputs)), layer, index)
        assert float(result.difference.max()) < 1e-4, head
        shares = result.expected.sum("key_pos")
        assert set(shares.values.round(9).flatten()) <= {0, 1}
    with pytest.raises(OptionError, match="head 9.9 carries no selector"):
        groundtruth.selections(model, inputs[0], 9, 9)


def test_the_selector_of_reverse_by_hand(compiled):
    result = groundtruth.selections(compiled("reverse"), "a b c", 3, 0)
    assert result.selected.values[0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]]
    assert groundtruth.heads(compiled("reverse"))["a3.0"] == {
        "q": ["opposite"], "k": ["indices", "tokens"], "v": ["tokens"], "o": ["reverse"],
        "selector": "at_opposite (keys indices, queries opposite)",
    }  # fmt: skip


def test_variables_hold_what_the_program_computes(compiled):
    """hist: the count appears with the layer that computes it; padding and blanks hold nothing."""
    result = groundtruth.variables(compiled("hist"), ["a b a", "d"])
    values = {name: result.value.sel(variable=name, layer=0).values.tolist() for name in ("tokens", "hist", "indices")}
    assert values == {
        "tokens": [["BOS", "a", "b", "a"], ["BOS", "d", "", ""]],
        "hist": [["", "2", "1", "2"], ["", "1", "", ""]],
        "indices": [["", "0", "1", "2"], ["", "0", "", ""]],
    }
    shares = groundtruth.variables(compiled("frac_prevs"), "x y y").value.sel(variable="frac_prevs")
    assert shares.values[0, -1].tolist() == ["0", "1", "1/2", "1/3"]


def test_what_is_known_of_a_model(compiled, tiny):
    assert (
        groundtruth.known("hist") == groundtruth.known(compiled("hist")) == {"axes", "selectors", "static", "effective"}
    )
    assert groundtruth.known(tiny("gpt2")) == frozenset()
    with pytest.raises(ModelError, match="nobody knows the circuit"):
        groundtruth.variables(tiny("gpt2"), "a")
