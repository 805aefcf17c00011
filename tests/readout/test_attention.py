import numpy as np
import pytest
from tiny import FAMILIES

from interp.core.errors import OptionError
from interp.core.prompts import Prompts
from interp.readout import attention


@pytest.mark.parametrize("family", FAMILIES)
def test_is_what_hugging_face_computes(family, tiny, plain, texts):
    """A padded batch holds each prompt's own patterns, and NaN at every padded query and key."""
    model, reference = tiny(family, "float64"), plain(family)
    found = attention(model, texts(family)).values().values
    for row, text in enumerate(texts(family)):
        expected = reference.attention(reference.tokens(text)).numpy()
        width = expected.shape[-1]
        np.testing.assert_allclose(found[row, :, :, :width, :width], expected, atol=1e-6)
        assert np.isnan(found[row, :, :, width:]).all()
        assert np.isnan(found[row, :, :, :, width:]).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_sum_to_one(family, tiny, texts):
    model = tiny(family)
    prompts = Prompts.of(model, texts(family))
    sums = np.nansum(attention(model, prompts).values().values, axis=-1)
    expected = np.broadcast_to(prompts.mask.numpy()[:, None, None], sums.shape)
    np.testing.assert_allclose(sums, expected, atol=1e-5)


def test_chosen_layers_keep_their_numbers(tiny, texts):
    model = tiny("llama")
    every = attention(model, texts("llama")).values()
    some = attention(model, texts("llama"), layers=(2, 0)).values()
    assert some.layer.values.tolist() == [0, 2]
    np.testing.assert_array_equal(some.values, every.sel(layer=[0, 2]).values)


@pytest.mark.parametrize("layers", [(3,), (-1,), (0, 7), "x", (0.5,)])
def test_a_layer_that_is_not_there_is_named(layers, tiny):
    with pytest.raises(OptionError, match="attention, layers") as error:
        attention(tiny("llama"), "the store", layers=layers)
    assert "\n" not in str(error.value)


@pytest.mark.real_model
def test_real_rows_sum_to_one(real_model):
    found = attention(real_model, "The keys to the cabinet").values().values
    assert found.shape[1:3] == (30, 9)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
