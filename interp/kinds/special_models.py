"""Small models that read no text: what they compute at every step of their training, and what is known of it."""

from interp.core.result import Result
from interp.core.variables import Variable


class KnownNumbers(Result):
    """Numbers that a paper or a closed form gives, and what is measured here (`quantity`)."""

    measured_value = Variable("quantity", "what is measured here", unit="that of the quantity", interval=True)
    closed_form = Variable("quantity", "what a closed form gives; NaN without one", unit="that of the quantity")
    published = Variable("quantity", "what the paper reports; NaN where it is silent", unit="that of the quantity")


def _drawn(axes: str, meaning: str, table: str, unit: str = "stream") -> Variable:
    return Variable(axes, meaning, unit=unit, table=table)


class ClusterStates(Result):
    """All that the Clustering Head computes at every step: its weights, its states of sequences, and what it decides.

    Vectors have two entries (`coordinate`). The grid (`grid_row`, `grid_column`) spans the embeddings of all steps.
    """

    accuracy = Variable("step", "share of test sequences that are right", unit="share")
    loss = Variable("step", "cross-entropy on the test", unit="nats")
    train_accuracy = Variable("step", "share of training sequences that are right", unit="share")
    train_loss = Variable("step", "cross-entropy on the training sequences", unit="nats")
    cluster_quality = Variable(
        "step", "between / total variance of embeddings, clusters = counts of tokens in the support", unit="share"
    )
    attention_off_support = Variable("step", "mean attention on tokens that do not count", unit="share")
    attention_evenness = Variable("step", "entropy of the attention within the support over its largest", unit="share")
    embedding_norm = Variable("step", "mean length of the embeddings", unit="stream")
    token_vector = _drawn("step vocab coordinate", "vector of a token", "tokens")
    position_vector = _drawn("step pos coordinate", "vector of a position", "positions")
    attention = _drawn("step pos", "mean attention over sequences", "positions", "share")
    query_vector = _drawn("step coordinate", "the learned query", "query")
    sum_vector = _drawn("step vocab pos coordinate", "token + position", "sums")
    normalised_vector = _drawn("step vocab pos coordinate", "the sum after RMSNorm", "sums")
    value_vector = _drawn("step vocab pos coordinate", "its value", "sums")
    embedding = _drawn("step sequence coordinate", "sequence embedding ξ", "sequences")
    mlp_input = _drawn("step sequence coordinate", "ξ after RMSNorm", "sequences")
    output = _drawn("step sequence coordinate", "ξ + MLP", "sequences")
    cluster = _drawn("sequence", "number of its counts of tokens in the support", "labels", "")
    answer = _drawn("sequence", "its sum", "labels", "")
    probability = _drawn("step vocab grid_row grid_column", "p(y | ξ) where ξ is on the grid", "grid", "probability")
    output_probability = _drawn(
        "step vocab grid_row grid_column", "p(y | output) where the output is on the grid", "grid", "probability"
    )
    receptor = _drawn("step neuron coordinate", "input weights of a neuron", "neurons", "weight")
    assembler = _drawn("step neuron coordinate", "output weights of a neuron", "neurons", "weight")
    bias = _drawn("step neuron", "of its input", "biases", "weight")


class GradientStepLearning(Result):
    """How near one layer of linear attention is to one step of gradient descent, at every step of training.

    `coordinate`, `other_coordinate` are entries of inputs. In `shifts` inputs or weights are wider than in training.
    """

    loss = Variable("step", "½ · mean squared error of the layer", unit="squared output", interval=True)
    step_loss = Variable("step", "that of the best gradient step on the same prompts", unit="squared output")
    rate = Variable("step", "learning rate that its products amount to; NaN before it has one")
    prediction_distance = Variable("step", "mean |ŷ − ŷ of the gradient step|", unit="output")
    sensitivity_cosine = Variable("step", "mean cosine of ∂ŷ/∂x_q of both; NaN of a layer of zeros")
    sensitivity_distance = Variable("step", "mean length of the difference of ∂ŷ/∂x_q", unit="output a unit of input")
    interpolated_loss = Variable(
        "step", "loss of the mean of its products and the constructed ones, each scaled to unit mean diagonal",
        unit="squared output",
    )  # fmt: skip
    product = Variable(
        "step coordinate other_coordinate", "KᵀQ over inputs, scaled to unit mean diagonal", table="products"
    )
    shifted_loss = Variable(
        "shift factor", "loss of the last layer on shifted prompts", unit="squared output", table="shifts"
    )
    shifted_step_loss = Variable(
        "shift factor", "that of the same gradient step", unit="squared output", table="shifts"
    )


class SoftmaxHeadLearning(Result):
    """The patterns ω and values μ of softmax heads at every step of training, and the loss that these predict."""

    loss = Variable("step", "mean squared error", unit="squared output", interval=True)
    predicted_loss = Variable("step", "by the loss model ℓ(ω, μ)", unit="squared output")
    constructed_loss = Variable("step", "mean squared error of heads with exactly these ω and μ", unit="squared output")
    value_sum = Variable("step", "Σ μ over Σ |μ|", unit="share")
    omega = Variable("step head", "mean diagonal of the scores over inputs", table="heads")
    mu = Variable("step head", "weight of y in what is read", table="heads")
    off_pattern = Variable("step head", "share of the scores' energy outside ω · I", unit="share", table="heads")


class InContextAlgorithms(Result):
    """Predictors of regression in context, a trained model among them, by number of examples (`count`)."""

    loss = Variable("method count", "mean squared error", unit="squared output", interval=True)
    linearity = Variable(
        "method count", "R² of the best linear fit of its predictions on fresh queries; NaN if these do not vary",
        unit="share",
    )  # fmt: skip
    prediction_distance = Variable(
        "method other_method count", "SPD: E (ŷ_A − ŷ_B)² / d", unit="squared output", table="distances"
    )
    weight_distance = Variable(
        "method other_method count", "ILWD: E |ŵ_A − ŵ_B|² / d of the linear fits", unit="squared weight",
        table="distances",
    )  # fmt: skip


class WeightProbes(Result):
    """What ridge probes read from the stream at the query of a trained model, by `layer`, on held-out prompts."""

    score = Variable("layer variable", "R² of the probe", unit="share", interval=True)
    control = Variable("layer variable", "R² where targets belong to other prompts", unit="share")


class ConnectivityLearning(Result):
    """Which graphs a disentangled transformer solves at every step, and which channel its weights use."""

    solved = Variable("step family", "share of graphs that are wholly right", unit="share")
    solved_by_diameter = Variable(
        "step distance", "share of random graphs of a diameter that are wholly right; NaN without one",
        unit="share", table="diameters",
    )  # fmt: skip
    heuristic = Variable(
        "step block", "share of J in a·I + b·J of a block of weights; NaN of 0", unit="share", table="channels"
    )
    explained = Variable(
        "step block", "share of the block's energy in a·I + b·J; NaN of 0", unit="share", table="channels"
    )
    identity_weight = Variable("step block", "a", unit="weight", table="channels")
    constant_weight = Variable("step block", "b", unit="weight", table="channels")


class OptimisationCourse(Result):
    """How a model descends with each optimiser (`method`): the loss, and the shape of the loss along the way."""

    loss = Variable("method step", "of a fixed batch")
    gradient_norm = Variable("method step", "of a fixed batch")
    sharpness = Variable("method step", "largest eigenvalue of the Hessian, by power iteration")
    robust_condition = Variable("method step", "largest |eigenvalue| over median |diagonal| of the Hessian")
    directional_smoothness = Variable(
        "method step", "2 |L(w′) − L(w) − g·(w′ − w)| / |w′ − w|² to the next checkpoint; NaN of the last"
    )
    noise_kurtosis = Variable("method step", "of the norms of gradients' noise; 3 if normal")


class ComputationErrors(Result):
    """Which nodes of computation graphs are right, and which errors are whose (`predicate`), by depth (`layer`)."""

    share = Variable("layer predicate", "share of the nodes at this depth", unit="share")
    nodes = Variable("layer", "number of nodes", table="nodes")


class InformationGain(Result):
    """What parts of the input (`part`) tell of parts of the output (`target`)."""

    gain = Variable("part target", "(H(Y) − H(Y|X)) / H(Y); NaN of an output that never varies", unit="share")
