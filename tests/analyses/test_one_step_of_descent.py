"""The study's tables say what its results do."""

import re

from analyses.one_step_of_descent import run
from interp.sandbox.regression.gradient_step import gradient_step_numbers
from interp.sandbox.special import lesson_of, run_of


def test_numbers_lie_around_the_closed_form():
    """Of fewer prompts than in the README: within 2 % of the closed form, or with it in the interval."""
    trained = run_of("gradient-descent")
    table = run.numbers(gradient_step_numbers(trained, lesson_of(trained), prompts=20_000))
    rows = [re.findall(r"-?\d+\.\d+", line) for line in table.splitlines()[2:]]
    assert len(rows) == 6
    for measured, *ends, known in ([float(number) for number in row] for row in rows):
        assert abs(measured - known) < 0.02 * known or ends[0] < known < ends[1]


def test_the_readme_has_the_closed_form():
    text = run.README.read_text(encoding="utf-8")
    assert "| 0.2062 |" in text
    assert "| 6.0606 |" in text
    assert "<!-- end of heads -->" in text
