"""What every layer, part and token passes on, and what is lost without it."""

from interp.core.result import Result
from interp.core.variables import Variable
from interp.kinds.circuits import Ablation


def _of_part(meaning: str, unit: str = "nats a token", *, interval: bool = True, optional: bool = True) -> Variable:
    return Variable("layer part", meaning, unit=unit, interval=interval, optional=optional)


class LayerRedundancy(Result):
    """How much each layer's block, attention and MLP (`part`) change the stream, and what the loss is without them.

    The block is all that a layer adds. Losses are rises above that of the plain model; without one (NaN) where a run
    does not exist, in the last layer and for its parts.
    """

    influence = _of_part("1 − cosine of the stream before and after", "1 − cosine", optional=False)
    influence_without_massive = _of_part("the same without massive dimensions", "1 − cosine", optional=False)
    angle = _of_part("angle between the stream before and after", "share of a half turn", optional=False)
    entropy_change = _of_part("entropy after − before; NaN of no token", "nats a dimension", optional=False)
    linearity = _of_part(
        "share of the stream after that an affine map of the stream before explains; NaN if it does not vary",
        "share of the variance", interval=False, optional=False,
    )  # fmt: skip
    linearity_without_massive = _of_part(
        "the same without massive dimensions; NaN if the rest does not vary",
        "share of the variance", interval=False, optional=False,
    )  # fmt: skip
    update_linearity = _of_part(
        "share of what the part adds that an affine map of the stream before explains; NaN if it does not vary",
        "share of the variance", interval=False, optional=False,
    )  # fmt: skip
    loss_skipped = _of_part("rise of the loss where the part adds nothing")
    loss_mean = _of_part("rise where it adds its mean: the control of the map")
    loss_replaced = _of_part("rise where it adds the affine map fitted on other windows")
    loss_replaced_fitted = _of_part("rise with that map on windows that it was fitted on")
    loss_parallel = _of_part("rise where the layer and the next read the same stream; NaN of parts and the last layer")


class LayerAblation(Ablation):
    """The answer and the loss on text before and after layers are skipped or linearised; NaN without a next token."""

    loss = Variable("", "loss of the plain model on text; NaN as above", unit="nats a token", table="losses")
    edited_loss = Variable("", "loss with the layers changed; NaN as above", unit="nats a token", table="losses")
    loss_increase = Variable("", "edited − plain; NaN as above", unit="nats a token", table="losses", interval=True)
