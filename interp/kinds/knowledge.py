"""What weights store: neurons as keys and values, where facts are read, and edits of them."""

from interp.core.result import Result
from interp.core.variables import FOR, METRIC, Variable


class MLPMemory(Result):
    """The neurons of all layers that contribute most to the answer, read as keys and values.

    The table `totals` has every layer's MLP: what all of its neurons and its bias add up to. Words are the tokens that
    a neuron writes for (or against, where its activation is negative), strongest first, with “ | ” between them.
    `places` are the corpus' windows where the neuron is most active with the sign that it has in the prompt.
    """

    node = Variable("batch rank", "the neuron")
    contribution = Variable("batch rank", "its contribution to the metric", unit="logits", supports=FOR)
    activation = Variable("batch rank", "its activation at the answer's position")
    promoted = Variable("batch rank", "tokens that it raises in this prompt")
    suppressed = Variable("batch rank", "tokens that it lowers in this prompt")
    key_norm = Variable("batch rank", "norm of its input weights (of the gate, where there is one)")
    value_norm = Variable("batch rank", "norm of its output weights")
    key_value_cosine = Variable(
        "batch rank", "cosine of its input and output weights; NaN where one is zero", unit="cosine"
    )
    twin = Variable("batch rank", "neuron of another layer with the most similar output weights; empty without one")
    twin_cosine = Variable("batch rank", "cosine of the two; NaN where one is zero, or without a twin", unit="cosine")
    total = Variable("batch layer", "the MLP's own direct contribution", unit="logits", supports=FOR, table="totals")
    neurons = Variable("batch layer", "Σ contribution of all of its neurons", unit="logits", table="totals")
    bias = Variable("batch layer", "contribution of its output bias", unit="logits", table="totals")
    remainder = Variable("batch layer", "total − neurons − bias", unit="logits", table="totals")
    listed = Variable("batch layer", "Σ contribution of its listed neurons", unit="logits", table="totals")
    context_activation = Variable(
        "batch rank entry", "its activation there; NaN where there are no more", table="places"
    )
    context_window = Variable("batch rank entry", "the window; −1 where there are no more", table="places")
    context_pos = Variable("batch rank entry", "the position in the window", table="places")
    context = Variable("batch rank entry", "the tokens around it, that one in «»", table="places")


class CausalTrace(Result):
    """How much of the answer comes back when single states are restored in runs whose subject is drowned in noise.

    An effect is metric(restored) − metric(corrupted), the mean over draws of the noise.
    """

    effect = Variable(
        "batch layer pos", "what restoring the state brings back; NaN beyond the end of a shorter prompt", unit=METRIC,
        supports=FOR,
    )  # fmt: skip
    effect_interval = Variable(
        "batch layer pos bound",
        "95 % bootstrap interval over draws of the noise; NaN of a single draw, and as the effect",
        unit=METRIC,
    )
    clean = Variable("batch", "metric of the clean run", unit=METRIC, table="runs")
    corrupted = Variable("batch", "metric with noise on the subject, mean over draws", unit=METRIC, table="runs")
    corrupted_interval = Variable(
        "batch bound", "95 % bootstrap interval over draws; NaN of a single draw", unit=METRIC, table="runs"
    )
    subject = Variable(
        "batch pos", "1 where the noise is, on the subject's tokens", unit="0 or 1", table="subject-tokens"
    )


class RankOneEdit(Result):
    """An answer overwritten by a rank-one change of one MLP's output matrix, and what else it changes.

    Log-odds are log p(new answer) − log p(old answer). `plain` is the same change without the corpus' covariance: it
    moves whatever is like the key. The change is W′ = W + value_change ⊗ key_direction; no weight is touched.
    """

    before = Variable("batch", "log-odds before the edit", unit="nats")
    after = Variable("batch", "log-odds after it: the edit holds where they are positive", unit="nats")
    plain = Variable("batch", "log-odds after the plain edit", unit="nats")
    weight_change = Variable("batch", "‖W′ − W‖ / ‖W‖", unit="share")
    paraphrase_before = Variable("batch entry", "log-odds before", unit="nats", table="paraphrase-odds", optional=True)
    paraphrase_after = Variable(
        "batch entry", "log-odds after: they follow the edit", unit="nats", table="paraphrase-odds", optional=True
    )
    paraphrase_plain = Variable(
        "batch entry", "log-odds after the plain edit", unit="nats", table="paraphrase-odds", optional=True
    )
    neighbour_before = Variable("batch rank", "log-odds before", unit="nats", table="neighbour-odds", optional=True)
    neighbour_after = Variable(
        "batch rank", "log-odds after: they should not change", unit="nats", table="neighbour-odds", optional=True
    )
    neighbour_plain = Variable(
        "batch rank", "log-odds after the plain edit", unit="nats", table="neighbour-odds", optional=True
    )
    key_direction = Variable("batch d_mlp", "C⁻¹k* / (k*ᵀC⁻¹k*), which keys are multiplied with", table="keys")
    value_change = Variable("batch d_model", "v* − Wk*, what is written", table="values")


class BilinearReading(Result):
    """One gated MLP read as a quadratic form of the stream along the answer's direction, eigenvector by eigenvector.

    With an affine nonlinearity this is the MLP exactly; with another, its neurons' best affine fits over a corpus stand
    in for it, `fit` says how well, and `missed` is what they miss. Eigenvectors are ordered by |contribution|.
    """

    contribution = Variable("batch rank", "eigenvalue × reading²", unit="logits", supports=FOR)
    eigenvalue = Variable("batch rank", "eigenvalue of the form", unit="logits", supports=FOR)
    reading = Variable("batch rank", "the eigenvector's product with what the MLP reads")
    total = Variable("batch", "the MLP's own direct contribution", unit="logits", table="totals")
    quadratic = Variable("batch", "the form: Σ contribution over all eigenvectors", unit="logits", table="totals")
    linear = Variable("batch", "the linear part", unit="logits", table="totals")
    bias = Variable("batch", "the constant part", unit="logits", table="totals")
    missed = Variable("batch", "what the fits miss: total − quadratic − linear − bias", unit="logits", table="totals")
    fit = Variable(
        "", "R² of the affine fits of the nonlinearity over the corpus; 1 is exact", unit="share", table="fit"
    )
    slope = Variable("d_mlp", "slope of each neuron's fit", table="neurons")
    intercept = Variable("d_mlp", "intercept of each neuron's fit", table="neurons")


class LossCurvature(Result):
    """Curvature of the loss in the weights of one MLP by K-FAC, and the loss when low-curvature weights are dropped.

    `component` is a matrix of the MLP, `fraction` the share ρ of the curvature that is kept. `arrangement` says which
    entries of the matrices in the factors' bases are kept: the highest, or, as controls and as many of them, random
    ones or the lowest. `entry` is one of the texts that were given as examples: what is recited is lost first.
    """

    input_eigenvalue = Variable(
        "component rank", "largest eigenvalues of A = E[aaᵀ] over inputs; NaN where there are no more"
    )
    output_eigenvalue = Variable(
        "component rank", "largest eigenvalues of G = E[ggᵀ] over gradients; NaN where there are no more", unit="nats²"
    )
    kept = Variable("component fraction", "share of the entries that is kept", unit="share", table="edits")
    change = Variable("component fraction", "‖W′ − W‖ / ‖W‖", unit="share", table="edits")
    loss = Variable(
        "arrangement fraction", "loss of the next token after the edit", unit="nats", table="losses", interval=True
    )
    clean_loss = Variable("", "loss of the model as it is", unit="nats", table="clean")
    example_before = Variable(
        "entry", "loss of the text before the edit", unit="nats", table="recitation", optional=True
    )
    example_after = Variable(
        "arrangement fraction entry", "loss of the text after it", unit="nats", table="recitation", optional=True
    )
    recited_before = Variable(
        "entry", "share of its tokens that the model ranks first before the edit: of 1 all are recited from its first",
        unit="fraction", table="recitation", optional=True,
    )  # fmt: skip
    recited_after = Variable(
        "arrangement fraction entry", "the same after it", unit="fraction", table="recitation", optional=True
    )
