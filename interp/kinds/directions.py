"""What depends on directions of the stream."""

from interp.core.result import Result
from interp.core.variables import FOR, METRIC, Variable


class DoseCurve(Result):
    """What pushing the stream along a direction does to the answer, and what it costs on neutral text.

    `strength` is in the unit that the facts tell; a `draw` is a random direction of the same norm.
    """

    effect = Variable("strength", "effect on the metric, mean over prompts", unit=METRIC, supports=FOR, interval=True)
    divergence = Variable(
        "strength",
        "Kullback-Leibler divergence of the next token on neutral text; NaN of a model that predicts none",
        unit="nats a token",
        interval=True,
    )
    loss_rise = Variable(
        "strength", "rise of the loss on neutral text; NaN of a model that predicts no next token", unit="nats a token",
        interval=True,
    )  # fmt: skip
    random_effect = Variable(
        "draw strength", "effect of a random direction, mean over prompts", unit=METRIC, supports=FOR, table="random"
    )
    random_divergence = Variable(
        "draw strength", "its divergence; NaN of a model that predicts no next token", unit="nats a token",
        table="random",
    )  # fmt: skip
    random_loss_rise = Variable(
        "draw strength", "its rise of the loss; NaN of a model that predicts no next token", unit="nats a token",
        table="random",
    )  # fmt: skip
    instructed_effect = Variable(
        "", "effect of the instruction before every prompt instead", unit=METRIC, optional=True, interval=True,
        table="instructed",
    )  # fmt: skip
