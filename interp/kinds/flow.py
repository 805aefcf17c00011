"""What every layer, part and token passes on, and what is lost without it."""

from interp.core.result import Result
from interp.core.variables import AGAINST, FOR, METHOD, METRIC, Variable
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
    neighbour_entropy_change = _of_part(
        "the same by distances to the fifth nearest token; NaN of five tokens or fewer, or of equal ones",
        "nats a dimension",
    )
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


class LayerRemoval(Result):
    """The rise of the loss as more and more layers (`count`) are left out, in several orders and in random ones."""

    loss = Variable(
        "order count", "rise of the loss without the first layers of the order", unit="nats a token", interval=True
    )
    removed = Variable("order count", "the layer that goes last")
    random_loss = Variable("draw count", "the same of a random order", unit="nats a token", table="random")


class BlockReplacement(Result):
    """The loss without some blocks after a `layer`, and with a linear map in their place; and how far they carry.

    `count` is the number of blocks after the layer. The facts tell how many were `removed` for the losses, and the
    `best` layer, from which that many blocks carry the stream least far.
    """

    loss_removed = Variable(
        "layer", "rise of the loss without the blocks; NaN if there are too few", unit="nats a token", interval=True
    )
    loss_mapped = Variable(
        "layer", "rise with the MLP's output mapped; NaN if there are too few", unit="nats a token", interval=True
    )
    loss_mapped_fitted = Variable(
        "layer", "the same on windows that were fitted; NaN if there are too few", unit="nats a token", interval=True
    )
    loss_shuffled = Variable(
        "layer",
        "rise with a map fitted to shuffled tokens; NaN if there are too few",
        unit="nats a token",
        interval=True,
    )
    loss_folded = Variable(
        "", "rise with the best layer's map in its weights", unit="nats a token", interval=True, table="folded"
    )
    folding_error = Variable(
        "", "difference of the logits with the map folded and added", unit="share of the largest", table="folded"
    )
    distance = Variable(
        "layer count", "angle to the stream that many blocks later; NaN beyond the last",
        unit="share of a half turn", interval=True, table="distance",
    )  # fmt: skip


class TokenSensitivity(Result):
    """How much the last state, or the answer, changes with the embedding of each token: norms of a Jacobian."""

    sensitivity = Variable("batch pos", "norm of the Jacobian at the token's embedding", unit=METHOD)
    standard_error = Variable(
        "batch pos", "of the sensitivity, where it is estimated; NaN where it is exact", unit=METHOD
    )
    control = Variable(
        "batch pos", "root mean square of the gradient of random directions of the last state", unit=METHOD
    )
    log_path_bound = Variable(
        "batch pos",
        "log10 of a bound of the sensitivity with attention patterns held fixed; NaN without a path or bound",
    )


class RepresentationalCollapse(Result):
    """How near the last states of two growing prompts come: `count` elements of a `family`, and the last one again."""

    distance = Variable("batch family count", "largest difference of the states; NaN if it does not fit", unit="stream")
    distance_l2 = Variable("batch family count", "length of their difference; NaN if it does not fit", unit="stream")
    bfloat16_distance = Variable(
        "batch family count", "largest difference in bfloat16; NaN if it does not fit", unit="stream"
    )
    spacing = Variable(
        "batch family count", "largest step of bfloat16 in the states; NaN if it does not fit", unit="stream"
    )
    equal_share = Variable(
        "batch family count", "share of dimensions that are the same in bfloat16; NaN if it does not fit", unit="share"
    )
    counting = Variable(
        "batch family count", "whether the number of elements is told; NaN if it does not fit", unit="share"
    )
    copying = Variable(
        "batch family count", "share of the elements that are copied; NaN if it does not fit", unit="share"
    )


class PathLengths(Result):
    """The answer as a sum over lengths of paths: `count` sub-layers passed; and what each sub-layer's paths cause."""

    contribution = Variable("batch count", "of all paths of the length to the metric", unit=METRIC, supports=FOR)
    total = Variable("batch", "the metric", unit=METRIC, supports=FOR)
    remainder = Variable("batch", "total − Σ contributions", unit=METRIC)
    absolute = Variable("batch", "Σ |contribution|", unit=METRIC)
    mean_length = Variable("batch", "mean length, weighted by |contribution|", unit="sub-layers")
    direct_effect = Variable(
        "batch layer part", "of leaving a sub-layer's write out of what the answer is read from; NaN if that is no sum",
        unit=METRIC, supports=AGAINST, table="sublayers",
    )  # fmt: skip
    total_effect = Variable(
        "batch layer part", "of the sub-layer writing nothing; NaN if it cannot be edited",
        unit=METRIC, supports=AGAINST, table="sublayers",
    )  # fmt: skip


class InformationPathways(Result):
    """The loss where every head keeps a random `fraction` of its keys, in several draws and for their ensemble."""

    mean_loss = Variable("fraction", "rise of the loss, mean over draws", unit="nats a token", interval=True)
    sd = Variable("fraction", "its standard deviation over draws", unit="nats a token")
    ensemble_loss = Variable(
        "fraction", "rise with the draws' probabilities averaged", unit="nats a token", interval=True
    )
    loss = Variable("fraction draw", "rise of the loss in one draw", unit="nats a token", table="each-draw")


class SegmentFusion(Result):
    """The loss and the answer with attention between two segments blocked in `count` layers."""

    loss = Variable("batch count", "rise with the first layers blocked; NaN without a token", unit="nats a token")
    late_loss = Variable("batch count", "rise with the last layers blocked; NaN without a token", unit="nats a token")
    control_loss = Variable(
        "batch count", "rise with as many random keys blocked in the first layers; NaN without a token",
        unit="nats a token",
    )  # fmt: skip
    effect = Variable("batch count", "of blocking the first layers", unit=METRIC, supports=AGAINST, optional=True)
    late_effect = Variable("batch count", "of blocking the last layers", unit=METRIC, supports=AGAINST, optional=True)
    control_effect = Variable(
        "batch count", "of blocking random keys in the first layers", unit=METRIC, supports=AGAINST, optional=True
    )
