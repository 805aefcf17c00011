"""Attention sinks and massive activations against their definitions, window by window."""

import numpy as np
import pytest
from reading import sentences, streams
from tiny import FAMILIES
from torch.nn.functional import cross_entropy

from interp.core.prompts import Prompts
from interp.models import Edit, Site
from interp.models.attention import visible
from interp.patterns import attention_sinks
from interp.readout import attention

FIRST = 3


def mean_attention(attention, first):
    """Over queries from number `first` on, of each of the keys up to it: the definition."""
    return [np.mean([row[key] for row in attention[first:]]) for key in range(first + 1)]


@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_the_definition(family, tiny):
    """On prompts of different lengths."""
    model, texts = tiny(family, "float64"), sentences(family, 4)
    result = attention_sinks(model, texts, first_query=FIRST, epsilon=0.1)
    patterns = [attention(model, text).values("attention").values[0] for text in texts]
    means = np.array([[[mean_attention(head, FIRST) for head in layer] for layer in one] for one in patterns]).mean(0)
    np.testing.assert_allclose(result.sink, means[..., 0], atol=1e-6)
    np.testing.assert_allclose(result.most_attended, means.max(-1), atol=1e-6)
    np.testing.assert_array_equal(result.most_attended_position, means.argmax(-1))
    np.testing.assert_allclose(result.sink_heads, (means[..., 0] > 0.1).mean(1))


def test_uniform_attention_is_a_sink_of_one_in_t(tiny):
    """Whatever the model, attention alike to all keys falls on the first by 1 / t."""
    model = tiny("llama", "float64")
    prompts = Prompts.of_tokens(model, [[5, 6, 7, 8, 9, 10], [7, 8, 9, 1]])
    alike = [Edit.through(site, lambda x: x.where(~visible(x), 0)) for site in model.sites("scores")]
    with model.edited(alike):
        result = attention_sinks(model, prompts, first_query=2)
    expected = np.mean([np.mean([1 / t for t in (3, 4, 5, 6)]), np.mean([1 / 3, 1 / 4])])
    np.testing.assert_allclose(result.sink, expected)
    np.testing.assert_allclose(result.uniform, expected)


def test_a_window_that_ends_before_the_first_query_has_no_sink(tiny):
    result = attention_sinks(tiny("gpt2"), sentences("gpt2", 2), first_query=60)
    assert np.isnan(result.sink).all()
    assert np.isnan(result.sink_heads).all()


def test_the_strongest_places_are_those_of_the_streams(tiny):
    """Of one prompt, by numpy."""
    model, text = tiny("gpt2", "float64"), sentences("gpt2", 1)
    table = attention_sinks(model, text, least=0.1, ratio=4, top=2).to_frame("massive")
    for stream, values in enumerate(streams(model, text, 0)):
        rows, size = table[table["stream"] == stream], np.abs(values)
        largest = np.argsort(-size, axis=None)[:2]
        np.testing.assert_array_equal(rows["position"] * values.shape[1] + rows["dimension"], largest)
        np.testing.assert_allclose(rows["activation"], values.flat[largest])
        median = np.sort(size, axis=None)[(size.size - 1) // 2]
        np.testing.assert_allclose(rows["times_median"], size.flat[largest] / median)
        np.testing.assert_array_equal(rows["massive"], (size.flat[largest] > max(0.1, 4 * median)) * 1.0)


def test_losses_are_those_of_a_run_without_the_planted_activation(tiny):
    """One activation is planted in the stream into layer 1; without it the model is what it was at zero there."""
    model = tiny("gpt2", "float64")
    prompts = Prompts.of_tokens(model, [[5, 6, 7, 8, 9], [7, 8, 9, 3, 2]])

    def loss(edit):
        logits = model.run(prompts, edits=[edit]).logits
        return cross_entropy(logits[:, :-1].flatten(0, 1), prompts.tokens[:, 1:].flatten()).item()

    def put(values):
        def change(stream):
            stream = stream.clone()
            stream[:, 0, 3] = stream.new_tensor(values)
            return stream

        return Edit.through(Site("resid_pre", 1), change)

    with model.edited([put([1000.0, 1100.0])]):
        result = attention_sinks(model, prompts, first_query=1, least=500, ratio=10)
    first = result.to_frame("massive").query("stream == 1").iloc[0]
    assert (first["position"], first["dimension"], first["activation"], first["massive"]) == (0, 3, 1050, 1)
    clean = loss(put([1000.0, 1100.0]))
    assert result.loss.item() == pytest.approx(clean)
    assert result.data["loss_interval"].values[0] < clean < result.data["loss_interval"].values[1]
    assert result.zero_increase.item() == pytest.approx(loss(put([0.0, 0.0])) - clean)


def test_without_a_massive_activation_nothing_changes(tiny):
    result = attention_sinks(tiny("llama"), sentences("llama", 2))
    assert result.loss > 0
    assert result.mean_increase == result.zero_increase == 0
    assert np.isnan(attention_sinks(tiny("bert-masked"), sentences("bert-masked", 2)).loss)


def test_no_query_late_enough(tiny):
    """Nothing is known of any head, rather than that none has a sink; activations and losses are there."""
    result = attention_sinks(tiny("llama"), "When Mary and John went", first_query=50)
    assert np.isnan(result.values("sink_heads")).all()
    assert "none of them has such a query" in result.measured
    assert np.isfinite(result.values("activation")).all()
