"""What the tasks ask, against plain Python written from the definitions."""

import math

import numpy as np
import pytest
import torch

from interp.sandbox import TASKS
from interp.sandbox.tasks.addition import SIGNS, Arithmetic, one_layer_rule
from interp.sandbox.tasks.induction import Induction

ROWS = 300


def drawn(problem, n=ROWS, seed=3):
    return problem.batch(n, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_batch_is_seeded_and_its_shapes_agree(task):
    batch, again = drawn(task.problem, 8), drawn(task.problem, 8)
    assert torch.equal(batch.inputs, again.inputs)
    assert batch.targets.shape == batch.weights.shape
    for within in batch.classes.values():
        assert within.shape == batch.weights.shape
        assert batch.weights[within].all()
    for values in task.problem.factors(batch).values():
        assert values.shape == batch.weights.shape
    for outputs in task.problem.baselines(batch).values():
        assert task.problem.losses(outputs, batch).shape == batch.weights.shape


@pytest.mark.parametrize("operation", SIGNS)
@pytest.mark.parametrize("turned", [False, True])
def test_answers_are_pythons(operation, turned):
    problem = Arithmetic(operation=operation, digits=3, answer_reversed=turned)
    batch, words = drawn(problem), problem.vocabulary
    for inputs, targets in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        text = "".join(words[token] for token in [*inputs, targets[-1]])
        question, answer = text.split("=")
        left, right = (int(number) for number in question.split(SIGNS[operation]))
        result = {"add": left + right, "subtract": left - right, "multiply": left * right}[operation]
        sign, size = ("" if operation != "subtract" else "-" if result < 0 else "+"), f"{abs(result):0{problem.places}}"
        assert answer == sign + (size[::-1] if turned else size)
        assert [words[token] for token in targets[len(question) :]] == list(answer)
        assert len(inputs) == problem.length
    counted = batch.weights.sum(1)
    assert (counted == problem.places + (operation == "subtract")).all()


def test_digits_are_classed_by_what_they_need():
    problem = Arithmetic(digits=5)
    batch = drawn(problem)
    left, right = problem.numbers(batch)
    for row in range(ROWS):
        carry, made, nine = 0, False, False  # into the units nothing is carried
        nine_before = False
        for digit in range(6):
            at = problem.at(digit)
            name = "base add" if not carry else "use carry" if made else "use nines" if nine_before else "use nine"
            assert [kind for kind in batch.classes if batch.classes[kind][row, at]] == [f"digit {digit}", name]
            if digit == 5:
                break
            total = int(left[row, digit] + right[row, digit])
            nine_before, nine = nine, total == 9
            made, carry = total >= 10, int(total + carry >= 10)


def test_the_one_layer_rule_fails_exactly_where_a_carry_passes_two_nines():
    """As simulated elsewhere: 1.36 % of sums of five digits, about 0.45 % of digits from the thousands up."""
    problem = Arithmetic(digits=5, enriched=0.0)
    batch = drawn(problem, 200_000)
    left, right = problem.numbers(batch)
    powers = 10 ** torch.arange(6)
    answer = ((left + right) * powers[:5]).sum(1, keepdim=True) // powers % 10
    wrong = one_layer_rule(left, right) != answer
    cascade = torch.stack([batch.classes["use nines"][:, problem.at(digit)] for digit in range(6)], 1)
    assert torch.equal(wrong, cascade)
    spread = 4 * math.sqrt(0.0136 / len(left))
    assert float(wrong.any(1).double().mean()) == pytest.approx(0.0136, abs=spread)
    assert not wrong[:, :3].any()
    assert float(wrong[:, 3].double().mean()) == pytest.approx(0.0045, abs=4 * math.sqrt(0.0045 / len(left)))
    example = Arithmetic(digits=5).of_digits(
        *(torch.tensor([[int(d) for d in text[::-1]]]) for text in ("04450", "05550"))
    )
    assert example.classes["use nines"].any()


def test_induction_repeats_and_its_best_predictor_is_bayes():
    """The chance of each next token, counted over all lengths that fit what has been read."""
    problem = Induction(tokens=5, positions_read=8)
    batch = drawn(problem, 40)
    best = problem.baselines(batch)["best possible"].exp().double()
    shortest, longest = 2, 4
    for row, (inputs, targets) in enumerate(zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True)):
        assert inputs[1:] == targets[:-1]
        for at in range(8):
            read, chances = inputs[: at + 1], np.zeros(5)
            for period in range(shortest, longest + 1):
                cycle = read[:period]
                if len(set(cycle)) < len(cycle) or any(token != cycle[i % period] for i, token in enumerate(read)):
                    continue
                weight = math.perm(5 - len(cycle), period - len(cycle)) / math.perm(5, period)
                if len(read) >= period:
                    chances[cycle[(at + 1) % period]] += weight
                else:
                    for token in set(range(5)) - set(cycle):
                        chances[token] += weight / (5 - len(cycle))
            np.testing.assert_allclose(best[row, at], chances / chances.sum(), atol=1e-6)
    factors = problem.factors(batch)
    for row, inputs in enumerate(batch.inputs.tolist()):
        for at, token in enumerate(inputs):
            before = [i for i in range(at) if inputs[i] == token]
            assert factors["followed by"][row, at] == (inputs[before[-1] + 1] if before else -1)
            assert factors["previous token"][row, at] == (inputs[at - 1] if at else -1)
            assert batch.classes["first reading"][row, at] == (inputs[: at + 1].count(token) == 1)
