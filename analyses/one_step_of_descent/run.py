"""One layer of linear attention compared with one step of gradient descent: closed form, simulation, trained layer.

`python -m analyses.one_step_of_descent.run` reads the packaged run; `--train FOLDER` trains it anew (about a minute).
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analyses.reporting import fill, markdown, photograph, progress, write_page
from interp import views
from interp.core.result import Result
from interp.sandbox.regression.gradient_step import gradient_step_learning, gradient_step_numbers
from interp.sandbox.regression.lessons import GradientDescentLesson
from interp.sandbox.regression.softmax_heads import softmax_head_learning
from interp.sandbox.special import lesson_of, run_of, train

HERE = Path(__file__).parent
README = HERE / "README.md"
STEPS = 8  # listed of the course


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the tables and the figure of the README."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, help="train in this folder, instead of reading the packaged run")
    parser.add_argument("--out", type=Path, default=Path("results/one_step_of_descent"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    with progress("gradient-descent", "gradient-descent: steps", "softmax-heads: steps"):
        run = train(GradientDescentLesson(), options.train) if options.train else run_of("gradient-descent")
        lesson = lesson_of(run)
        assert isinstance(lesson, GradientDescentLesson)
        fill(README, "numbers", numbers(gradient_step_numbers(run, lesson)))
        learning = gradient_step_learning(run, lesson)
        heads_run = run_of("softmax-heads")
        heads = softmax_head_learning(heads_run, lesson_of(heads_run))  # pyright: ignore[reportArgumentType]
    fill(README, "course", course(learning))
    fill(README, "shifts", shifts(learning))
    fill(README, "heads", of_heads(heads))
    photograph(write_page(views.figure(learning), options.out / "course.html"), HERE / "course.png")


def numbers(result: Result) -> str:
    """Measured numbers with their intervals, and the closed form's."""
    rows = []
    for quantity in result.data["quantity"].values:
        own = result.data.sel(quantity=quantity)
        low, high = own["measured_value_interval"].values
        ends = f" [{low:.4f}, {high:.4f}]" if np.isfinite(low) else ""
        rows.append([str(quantity), f"{float(own['measured_value']):.4f}{ends}", f"{float(own['closed_form']):.4f}"])
    return markdown(["quantity", "measured", "closed form"], rows)


def course(result: Result) -> str:
    """The layer at a few steps of its training."""
    names = ("loss", "step_loss", "interpolated_loss", "rate", "prediction_distance", "sensitivity_cosine")
    steps = result.data["step"].values
    some = steps[np.linspace(0, len(steps) - 1, STEPS).round().astype(int)]
    rows = [[f"{step:,}", *(f"{float(result.data[name].sel(step=step)):.4g}" for name in names)] for step in some]
    return markdown(["step", *(name.replace("_", " ") for name in names)], rows)


def shifts(result: Result) -> str:
    """Losses on prompts out of distribution, of the layer and of the step."""
    rows = []
    for shift in result.data["shift"].values:
        for name, words in (("shifted_loss", "layer"), ("shifted_step_loss", "step")):
            losses = result.data[name].sel(shift=shift).values
            rows.append([f"{shift}: {words}", *(f"{loss:.4g}" for loss in losses)])
    return markdown(["times", *(f"{factor:g}" for factor in result.data["factor"].values)], rows)


def of_heads(result: Result) -> str:
    """The two softmax heads after training, and what the loss model makes of them."""
    last = result.data.isel(step=-1)
    rows = [
        [f"head {head}", *(f"{float(last[name].sel(head=head)):.4f}" for name in ("omega", "mu", "off_pattern"))]
        for head in last["head"].values
    ]
    names = ("loss", "constructed_loss", "predicted_loss")
    losses = [["loss", *(f"{float(last[name]):.4f}" for name in names)]]
    heads = markdown(["", "ω", "μ", "energy off the pattern"], rows)
    return f"{heads}\n\n{markdown(['', 'trained', 'constructed of ω and μ', 'loss model ℓ(ω, μ)'], losses)}"


if __name__ == "__main__":
    main()
