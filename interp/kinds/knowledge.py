"""What weights store: neurons as keys and values, where facts are read, and edits of them."""

from interp.core.result import Result
from interp.core.variables import FOR, Variable


class MLPMemory(Result):
    """The neurons of all layers that contribute most to the answer, read as keys and values.

    The table `totals` has every layer's MLP: what all of its neurons and its bias add up to. Words are the tokens that
    a neuron writes for (or against, where its activation is negative), strongest first, with “ | ” between them.
    `contexts` are the corpus' windows where the neuron is most active with the sign that it has in the prompt.
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
        "batch rank entry", "its activation there; NaN where there are no more", table="contexts"
    )
    context_window = Variable("batch rank entry", "the window; −1 where there are no more", table="contexts")
    context_pos = Variable("batch rank entry", "the position in the window", table="contexts")
    context = Variable("batch rank entry", "the tokens around it, that one in «»", table="contexts")
