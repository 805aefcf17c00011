"""Transformer Programs: source, program and hooked model answer alike, and their data flow is the truth."""

import json

import pytest
import torch
from plain_compiled import Definition

import interp
from interp import groundtruth
from interp.core.errors import ModelError
from interp.core.progress import reporting
from interp.groundtruth import transformer_programs as programs
from interp.groundtruth.transformer_programs.learned import LearnedProgram, discretised, pruned
from interp.groundtruth.transformer_programs.soft import Noise, ranks
from interp.groundtruth.transformer_programs.training import Learning, share_right
from interp.models.sources import known_models
from interp.tasks.programs import LEARNED, PROGRAMS, written

TASKS = tuple(name.removeprefix("learned_") for name in LEARNED)
every_task = pytest.mark.parametrize("task", TASKS)
SMALL = programs.ProgramOptions(steps=60, batch=16, inputs=300, layers=2, heads=2, counts=1, tables=1, count_tables=1)


def held_out(task: str, report: dict) -> list[tuple[str, ...]]:
    """The sequences that a program was not learned from."""
    options = {name: value for name, value in report["settings"].items() if name != "task"}
    learning = Learning(PROGRAMS[f"learned_{task}"], programs.ProgramOptions(**options))
    rows = learning.held_out.tokens.tolist()
    return [tuple(learning.symbols[value - 1] for value in row if value > 0) for row in rows]


def by_loops(program: LearnedProgram, tokens: list[int]) -> list[int]:
    """The class at every position, by the definition: loops over heads, positions and keys."""
    width = len(tokens)
    values = {"tokens": tokens, "positions": list(range(width))}
    for layer in program.layers:
        for head in layer.heads:
            query, key, result = values[head.query], values[head.key], []
            for i in range(width):
                wanted = head.matches.get(query[i], 0)
                seen = range(i + 1 if program.causal else width)
                matching = [j for j in seen if key[j] == wanted != 0]
                nearest = sorted(matching, key=lambda j: (j == i, abs(i - j), j))
                result.append(values[head.value][nearest[0] if nearest else 0] if head.value else len(matching))
            values[head.name] = result
        for table in layer.tables:
            one, other = (values[name] for name in table.reads)
            values[table.name] = [0, *(table.holds[pair] for pair in list(zip(one, other, strict=True))[1:])]
    answers = []
    for i in range(width):
        scores = sum(weights[values[name][i]] for name, weights in program.classifier.items()).tolist()
        answers.append(scores.index(max(scores)))
    return answers


@pytest.fixture(scope="module", params=["sort", "dyck2", "most_frequent"])
def random_program(request) -> tuple[Learning, LearnedProgram]:
    """A program of random choices: nothing is learned, everything is used."""
    learning = Learning(PROGRAMS[f"learned_{request.param}"], SMALL)
    return learning, discretised(learning.soft, learning.symbols, learning.positions)


def test_a_program_is_its_definition(random_program):
    learning, program = random_program
    tokens = learning.held_out.tokens[:40]
    answers = program.answers(tokens)
    for row, sequence in enumerate(tokens.tolist()):
        length = sum(value >= 0 for value in sequence)
        assert answers[row, :length].tolist() == by_loops(program, sequence[:length])


def test_the_soft_model_is_its_program_where_choices_are_certain(random_program):
    """Logits far apart and next to no temperature: every sample is the most likely choice."""
    learning, program = random_program
    soft = learning.soft
    with torch.no_grad():
        for name, parameter in soft.named_parameters():
            if name.endswith("logits"):
                best = torch.nn.functional.one_hot(parameter.argmax(-1), parameter.shape[-1])
                parameter.copy_(200.0 * best)
        soft.classifier.copy_((soft.classifier * 1000).round() / 1000)
        tokens = learning.held_out.tokens[:64]
        logits = soft(tokens, Noise(1e-3, 1e-6, torch.Generator().manual_seed(0)))
    scores = program.scores(program.run(tokens)) / 1000
    read = tokens >= 0
    torch.testing.assert_close(logits[read], scores[read], atol=1e-3, rtol=0)


def test_emitted_source_and_assembled_model_of_any_program(random_program, tmp_path):
    """Not only of those that were learned: with all variables read, unpruned."""
    from interp.groundtruth.transformer_programs import _files
    from interp.models.training import TrainingFolder

    learning, program = random_program
    folder = TrainingFolder(tmp_path / "out")
    folder.path.mkdir()
    files = _files(learning, program, folder)  # compares model and program on all held-out rows
    scope: dict = {}
    exec(files["program.py"].decode(), scope)
    answers = program.answers(learning.held_out.tokens)
    for row, sequence in enumerate(learning.held_out.tokens.tolist()):
        tokens = [program.symbols[value - 1] for value in sequence if value > 0]
        wanted = [learning.classes[number] for number in answers[row, 1 : 1 + len(tokens)].tolist()]
        assert scope["run"](tokens) == wanted


def test_pruning_costs_no_accuracy(random_program):
    learning, program = random_program
    smaller = pruned(program, *learning.rows)
    assert share_right(smaller.answers(learning.rows.tokens), learning.rows) > 0.3
    parts = {part.name for layer in smaller.layers for part in layer.parts()}
    needed = {name for layer in smaller.layers for part in layer.parts() for name in part.reads}
    assert parts <= needed | set(smaller.classifier)
    for row, sequence in enumerate(learning.rows.tokens[:20].tolist()):
        length = sum(value >= 0 for value in sequence)
        assert smaller.answers(learning.rows.tokens[:20])[row, :length].tolist() == by_loops(smaller, sequence[:length])


def test_the_nearest_match_is_read_and_the_position_itself_last():
    assert ranks(4)[1].argsort().tolist() == [0, 2, 3, 1]


def test_a_stopped_training_gives_the_same_files(tmp_path):
    options = programs.ProgramOptions(
        steps=20, batch=8, inputs=60, layers=1, heads=1, counts=1, tables=1, count_tables=1, checkpoint=7
    )
    programs.learn("dyck1", tmp_path / "whole", options)

    class Stopped(Exception): ...

    def stop(label: str, done: int, total: int) -> None:
        if label.startswith("learning") and done == 10:
            raise Stopped

    with pytest.raises(Stopped), reporting(stop):
        programs.learn("dyck1", tmp_path / "stopped", options)
    programs.learn("dyck1", tmp_path / "stopped", options)
    for name in ("model.safetensors", "program.py", "truth.json", "config.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()


def test_all_tasks_are_there():
    assert set(groundtruth.names("programs")) == {f"programs/{task}" for task in TASKS}


@every_task
def test_source_and_model_answer_alike_and_as_reported(task: str):
    name = f"programs/{task}"
    source, model, program = groundtruth.source(name), interp.load(name), PROGRAMS[f"learned_{task}"]
    report = json.loads((known_models()[name] / "report.json").read_text())
    scope: dict = {}
    exec(source.text, scope)  # of the package's own files, as a reader would run it
    sequences = held_out(task, report)
    prompts = interp.Prompts.of(model, [" ".join(tokens) for tokens in sequences])
    best, right = model.logits(prompts).argmax(-1), []
    for tokens, row, mask in zip(sequences, best, prompts.mask, strict=True):
        emitted = scope["run"](list(tokens))
        assert [model.token_label(token) for token in row[mask][1:].tolist()] == emitted
        wanted = program.function(tokens)
        right += [written(value) == got for value, got in zip(wanted, emitted, strict=True) if value is not None]
    assert sum(right) / len(right) == pytest.approx(report["accuracy"], abs=1e-6)


@every_task
def test_the_truth_is_the_data_flow(task: str):
    """Nothing outside the static circuit has an effect, exactly; each effective edge has one."""
    name = f"programs/{task}"
    model, circuit, definition = interp.load(name, dtype="float64"), groundtruth.circuit(name), Definition(name)
    pairs = interp.tasks.program(model, n=24)
    clean, corrupted = (definition.run(side.tokens) for side in (pairs.clean, pairs.corrupted))
    graph, inside = circuit.graph, {edge.ends[:2] for edge in circuit.edges}
    outside = {(sender, receiver) for sender in graph.senders for receiver in graph.receivers} - inside
    assert torch.equal(definition.run(pairs.clean.tokens, corrupted, outside).logits, clean.logits)
    effective = {edge.ends[:2] for edge in groundtruth.circuit(name, "effective").edges}
    assert effective <= inside
    assert len(groundtruth.axes(name)) == model.dims.d_model


@every_task
def test_lines_name_the_heads_that_compute_them(task: str):
    source = groundtruth.source(f"programs/{task}")
    lines, graph = source.text.splitlines(), groundtruth.circuit(f"programs/{task}").graph
    for number, sender in source.lines.items():
        assert sender in graph.senders
        assert lines[number - 1].strip()
    calls = {sender: line for number, sender in source.lines.items() if "aggregate(" in (line := lines[number - 1])}
    for sender, line in calls.items():
        layer, index = sender.removeprefix("a").split(".")
        assert line.strip().startswith(f"attn_{layer}_{index} = ")


def test_what_there_is_not_is_named(tmp_path):
    with pytest.raises(ModelError, match="no task 'sorted' to learn a program for; choose one of reverse, hist"):
        programs.learn("sorted", tmp_path / "out", SMALL)
    with pytest.raises(ModelError, match="rasp/hist was not decompiled; these were: programs/"):
        groundtruth.source("rasp/hist")
