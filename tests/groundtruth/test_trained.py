"""Students of compiled programs: metrics by plain loops, a training that is resumed, and the models of the package."""

import json
from dataclasses import replace

import pytest
import torch
from plain_compiled import Definition
from safetensors.torch import load_file

import interp
from interp import groundtruth
from interp.core.errors import ModelError, OptionError
from interp.core.progress import reporting
from interp.groundtruth import siit
from interp.groundtruth.siit.inputs import Inputs
from interp.groundtruth.siit.interchange import graph_of, run
from interp.groundtruth.siit.scoring import missed
from interp.groundtruth.siit.teacher import Teacher
from interp.groundtruth.siit.training import Lesson
from interp.models.compiled import CompiledForCausalLM
from interp.models.sources import known_models
from interp.tasks.program import text_of
from interp.tasks.programs import PROGRAMS

NAMES = tuple(name.removeprefix("siit/") for name in groundtruth.names("siit"))
every_student = pytest.mark.parametrize("name", NAMES)
SMALL = siit.SiitOptions(steps=12, batch=32, width=8, head_size=4, neurons=8, checkpoint=5)


def teacher_of(name: str) -> str:
    """The model that a student was trained by."""
    return f"rasp/{name}" if f"rasp/{name}" in known_models() else f"written/{name}"


def lesson_of(name: str) -> Lesson:
    """The lesson of a model of the package, with its student as it was saved."""
    report = json.loads((known_models()[f"siit/{name}"] / "report.json").read_text())
    options = {key: value for key, value in report["settings"].items() if key != "program"}
    lesson = Lesson(known_models()[teacher_of(name)], siit.SiitOptions(**options))
    lesson.student.load_state_dict(load_file(known_models()[f"siit/{name}"] / "model.safetensors"))
    return lesson


def ends(lesson: Lesson, exchanged: torch.Tensor) -> list[tuple[str, str]]:
    """The edges of one row, by name."""
    graph = lesson.teacher.graph
    return [(graph.senders[sender], graph.receivers[receiver]) for receiver, sender in exchanged.nonzero().tolist()]


@pytest.mark.parametrize("name", ["siit/hist", "rasp/pair_balance"])
def test_exchanging_edges_is_the_definition(name: str):
    """Each row with edges of its own, beside a run by loops with those edges resampled."""
    definition = Definition(name)
    model = CompiledForCausalLM.from_pretrained(known_models()[name]).double()
    graph, generator = graph_of(model.config), torch.Generator().manual_seed(0)
    base, source = torch.randint(2, 5, (2, 4, model.config.max_position_embeddings), generator=generator)
    exchanged = torch.rand(4, len(graph.receivers), len(graph.senders), generator=generator) < 0.3
    with torch.no_grad():
        other = run(model, source)
        result = run(model, base, other, exchanged.double())
    for row in range(4):
        one = slice(row, row + 1)
        resampled = [(graph.senders[s], graph.receivers[r]) for r, s in exchanged[row].nonzero().tolist()]
        wanted = definition.run(base[one], definition.run(source[one]), resampled)
        torch.testing.assert_close(result.logits[one], wanted.logits, atol=1e-9, rtol=0)


def test_padding_is_not_attended_to():
    model = CompiledForCausalLM.from_pretrained(known_models()["siit/hist"])
    short = torch.tensor([[0, 2, 3, 1, 1, 1]])
    with torch.no_grad():
        torch.testing.assert_close(run(model, short).logits[:, :3], model(short[:, :3]).logits)


def test_scores_are_those_of_plain_loops():
    """Interchange, strict accuracy and effects, pair by pair and edge by edge, by the transformer written out."""
    lesson = lesson_of("frac_prevs")
    pairs = lesson.held_out.pairs(24, torch.Generator().manual_seed(3))
    scoring = replace(_scoring(lesson), pairs=pairs)
    student, teacher = Definition("siit/frac_prevs"), Definition("rasp/frac_prevs")
    exchanges, report = lesson.exchanges, scoring.report()

    def answers(of: Definition, edges: list[tuple[str, str]]) -> list[torch.Tensor]:
        result = []
        for base, source, asked in zip(*pairs, strict=True):
            length = int((base != 1).sum())
            run_ = of.run(base[None, :length], of.run(source[None, :length]), edges)
            result.append(run_.logits[0].argmax(-1)[asked[:length]])
        return result

    def share(one: list[torch.Tensor], other: list[torch.Tensor]) -> float:
        return float(torch.cat([a == b for a, b in zip(one, other, strict=True)]).float().mean())

    clean = answers(student, [])
    assert report["accuracy"] == pytest.approx(share(clean, answers(teacher, [])))
    every = ends(lesson, exchanges.outside)
    assert report["strict_accuracy"] == pytest.approx(share(answers(student, every), answers(teacher, [])))
    nodes = [ends(lesson, exchanges.of_nodes([node])[0]) for node in exchanges.nodes]
    of_present = {(s, r) for s, r in ends(lesson, exchanges.present)}
    right = [share(answers(student, node), answers(teacher, [e for e in node if e in of_present])) for node in nodes]
    assert report["interchange_accuracy"] == pytest.approx(sum(right) / len(right), abs=0.02)  # draws are left out
    inside = {" ".join(e): 1 - share(clean, answers(student, [e])) for e in ends(lesson, exchanges.circuit)}
    least = report["edges"]["least_inside"]
    assert least["answers_changed"] == pytest.approx(min(inside.values()))
    assert inside[least["name"]] == pytest.approx(min(inside.values()))


def _scoring(lesson: Lesson):
    from interp.groundtruth.siit.scoring import Scoring

    pairs = lesson.held_out.pairs(8, torch.Generator().manual_seed(0))
    return Scoring(lesson.student, lesson.teacher, lesson.exchanges, pairs, lesson.least_lead)


def test_there_are_enough_students():
    assert len(NAMES) >= 9
    assert "simple_ioi" in NAMES


@every_student
def test_students_reach_what_their_report_says_on_fresh_pairs(name: str):
    report = json.loads((known_models()[f"siit/{name}"] / "report.json").read_text())
    assert not report["missed"]
    lesson = lesson_of(name)
    pairs = lesson.held_out.pairs(96, torch.Generator().manual_seed(77))
    scores = replace(_scoring(lesson), pairs=pairs).report()
    assert not missed(scores)
    for score in ("accuracy", "interchange_accuracy", "strict_accuracy"):
        assert scores[score] == pytest.approx(report[score], abs=0.02)
    where = scores["where_the_teacher_changes"]
    assert where["interchange_accuracy"] > 0.98
    assert where["with_a_wrong_correspondence"] < 0.1  # as if nothing had been exchanged


@every_student
def test_students_are_ordinary_models(name: str):
    model = interp.load(f"siit/{name}")
    pairs = interp.tasks.program(model, n=16)
    assert interp.tasks.task_accuracy(model, pairs).data["correct"].mean() > 0.98
    truth = groundtruth.circuit(model, "effective")
    compiled = groundtruth.circuit(teacher_of(name), "effective")
    assert {edge.ends for edge in truth.edges} == {edge.ends for edge in compiled.edges}
    truth.require_model(model)
    assert groundtruth.axes(model) == ()


def test_held_out_inputs_are_not_trained_on():
    teacher = Teacher.of(known_models()["rasp/hist"], 2, 4)
    inputs, held_out = Inputs.of(teacher)
    rows = {tuple(row) for row in inputs.tokens.tolist()}
    assert not rows & {tuple(row) for row in held_out.tokens.tolist()}
    pairs = inputs.pairs(64, torch.Generator().manual_seed(0))
    assert torch.equal((pairs.base != 1).sum(1), (pairs.source != 1).sum(1))


def test_the_gradient_reaches_what_senders_outside_the_circuit_wrote_on_the_source():
    lesson = Lesson(known_models()["rasp/shift"], SMALL)
    pairs = lesson.inputs.pairs(8, torch.Generator().manual_seed(0))
    source = run(lesson.student, pairs.source)
    wrote = source.wrote.detach().requires_grad_()
    logits = run(lesson.student, pairs.base, source._replace(wrote=wrote), lesson.exchanges.all_outside(8)).logits
    logits.logsumexp(-1).sum().backward()
    assert wrote.grad is not None
    assert wrote.grad.abs().sum() > 0


def test_a_stopped_training_gives_the_same_bits(tmp_path):
    siit.train("shift", tmp_path / "whole", SMALL)

    class Stopped(Exception): ...

    def stop(label: str, done: int, total: int) -> None:
        if label.startswith("training") and done == 8:
            raise Stopped

    with pytest.raises(Stopped), reporting(stop):
        siit.train("shift", tmp_path / "stopped", SMALL)
    assert (tmp_path / "stopped" / "checkpoint.safetensors").exists()
    with pytest.raises(ModelError, match="was made with batch = 32, not 64"):
        siit.train("shift", tmp_path / "stopped", replace(SMALL, batch=64))
    siit.train("shift", tmp_path / "stopped", replace(SMALL, checkpoint=3))  # how often it saves decides nothing
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "stopped"))
    assert all(one[name].equal(other[name]) for name in one)
    assert not (tmp_path / "stopped" / "checkpoint.safetensors").exists()
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in ("whole", "stopped")]
    assert siit.train("shift", tmp_path / "whole", SMALL) == reports[0]
    for report in reports:
        del report["seconds"], report["loss"]
    assert reports[0] == reports[1]
    assert interp.load(str(tmp_path / "whole")).program == "shift"


def test_what_cannot_be_trained_is_named(tmp_path):
    with pytest.raises(ModelError, match="no node of constant has an effect"):
        siit.train("constant", tmp_path / "out", SMALL)
    with pytest.raises(ModelError, match="there is no model 'rasp/revers'|revers"):
        siit.train("rasp/revers", tmp_path / "out", SMALL)
    with pytest.raises(OptionError, match=r"interchange = 0.8 and strict = 0.55 exceed 1 together"):
        siit.train("shift", tmp_path / "out", replace(SMALL, interchange=0.8))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine")
    with pytest.raises(ModelError, match="holds note.txt, but no training"):
        siit.train("shift", tmp_path / "full", SMALL)


def test_the_teacher_written_by_hand():
    """Its program on every input; no edge outside its static circuit has any effect, and each effective one has."""
    model, program = interp.load("written/simple_ioi", dtype="float64"), PROGRAMS["simple_ioi"]
    inputs = list(program.inputs())
    best = model.logits(interp.Prompts.of(model, [text_of(tokens) for tokens in inputs])).argmax(-1)
    assert [model.token_label(row[-1].item()) for row in best] == [program.function(tokens)[-1] for tokens in inputs]
    pairs, definition = interp.tasks.program(model, n=24), Definition("written/simple_ioi")
    clean, corrupted = (definition.run(side.tokens) for side in (pairs.clean, pairs.corrupted))
    circuit = groundtruth.circuit(model)
    inside, graph = {edge.ends[:2] for edge in circuit.edges}, circuit.graph
    outside = {(sender, receiver) for sender in graph.senders for receiver in graph.receivers} - inside
    assert torch.equal(definition.run(pairs.clean.tokens, corrupted, outside).logits, clean.logits)
    effective = {edge.ends[:2] for edge in groundtruth.circuit(model, "effective").edges}
    for edge in inside:
        change = definition.run(pairs.clean.tokens, corrupted, [edge]).logits[:, -1] - clean.logits[:, -1]
        assert (float(change.abs().max()) > 1e-9) == (edge in effective), edge


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.parametrize("name", ["frac_prevs"])
def test_training_again_gives_the_same_accuracies(tmp_path, name: str):
    report = siit.train(name, tmp_path / "out", siit.recipe(name))
    before = json.loads((known_models()[f"siit/{name}"] / "report.json").read_text())
    for score in ("accuracy", "interchange_accuracy", "strict_accuracy"):
        assert report[score] == pytest.approx(before[score], abs=0.002)
