"""Representational collapse: states of plain runs, the spacing of bfloat16, and prompts that cannot collapse."""

import numpy as np
import pytest
import torch

import interp
from interp.core.prompts import Prompts
from interp.flow.representational_collapse import FAMILIES, _distances
from interp.models import Edit, Site

BEFORE = "When Mary"


def test_families():
    random = np.random.default_rng(0)
    assert "".join(FAMILIES["ones"](4, random)) == "1111"
    assert "".join(FAMILIES["commas"](7, random)) == "111,111,1"
    assert len("".join(FAMILIES["digits"](9, random))) == 9


@pytest.mark.parametrize("family", ["llama", "gptneox"])
def test_distances_are_those_of_plain_runs(family, tiny):
    model = tiny(family, "float64")
    data = interp.flow.representational_collapse(model, BEFORE, counts=(2, 5, 500)).data
    site = Site("resid_post", model.dims.layers - 1)
    start, one = model.encode(BEFORE), model.encode_continuation("1")
    for count in (2, 5):
        states = []
        for elements in (count, count + 1):
            with torch.no_grad():
                prompt = Prompts.of_tokens(model, [[*start, *one * elements]])
                states.append(model.run(prompt, record=[site])[site][0, -1])
        cell = data.sel(family="ones", count=count).isel(batch=0)
        np.testing.assert_allclose(cell["distance"], (states[0] - states[1]).abs().max(), rtol=1e-9)
        np.testing.assert_allclose(cell["distance_l2"], (states[0] - states[1]).norm(), rtol=1e-9)
    assert np.isnan(data.sel(count=500).to_array()).all()


def test_spacing_and_rounding():
    """Neighbours in bfloat16 are one spacing apart; less is nothing."""
    state = torch.tensor([5.0, -1.0], dtype=torch.float64)
    following = torch.nextafter(state.bfloat16(), torch.full((2,), 9.0).bfloat16()).double()
    values = _distances(state, torch.stack([following[0], state[1]]))
    assert values["spacing"] == values["bfloat16_distance"] == values["distance"] == 4 / 128
    assert values["equal_share"] == 0.5
    values = _distances(state, state + 1e-4)
    assert values["bfloat16_distance"] == 0
    assert values["equal_share"] == 1
    assert values["distance"] == pytest.approx(1e-4)


def test_a_model_that_cannot_tell_how_often(tiny):
    """With attention that writes nothing, one more of the same token makes no difference (rotary positions)."""
    model = tiny("llama", "float64")
    with model.edited([Edit.zero(site) for site in model.sites("attn_write")]):
        data = interp.flow.representational_collapse(model, BEFORE, counts=(2, 4)).data
    assert (data["distance"] == 0).all()
    assert (data["equal_share"] == 1).all()


def test_counting_and_copying_are_greedy(tiny):
    """A model made to say what comes next is right everywhere; the number's tokens are all to be right."""
    model = tiny("llama", "float64")
    data = interp.flow.representational_collapse(model, BEFORE, counts=(3,)).data
    start, written = model.encode(BEFORE), model.encode_continuation("111")
    answer, middle = model.encode_continuation(" 3"), model.encode_continuation("\nThe number of digits above is")
    tokens = [*start, *written, *middle]
    for token in answer:
        with torch.no_grad():
            logits = model.run(Prompts.of_tokens(model, [tokens])).logits[0, -1]
        right = int(logits.argmax()) == token
        tokens.append(token)
        if not right:
            break
    assert bool(data["counting"].sel(family="ones", count=3)[0]) == right
    said = [*start, *written, *model.encode_continuation("\nThe same again: ")]
    right = []
    for token in written:
        with torch.no_grad():
            right.append(int(model.run(Prompts.of_tokens(model, [said])).logits[0, -1].argmax()) == token)
        said.append(token)
    assert float(data["copying"].sel(family="ones", count=3)[0]) == np.mean(right)
