"""The figures of a dictionary's quality hold its numbers."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from views import dictionary_samples as samples

from interp import views
from interp.core.errors import OptionError
from interp.core.prompts import Prompts


def sample(**how):
    import torch

    return samples.quality(Prompts(("x",), torch.zeros(1, 1).long(), torch.ones(1, 1).bool(), (("x",),)), **how)


@pytest.mark.parametrize("next_token", [True, False])
def test_losses(next_token):
    """Cross entropy of four runs; without it KL of the three that are not clean, and nothing recovered."""
    result = sample(next_token=next_token)
    drawn = views.figure(result)
    names = ["ce_clean", "ce_spliced", "ce_mean", "ce_zero"] if next_token else ["kl_spliced", "kl_mean", "kl_zero"]
    assert_array_equal(drawn.data[0].y, [result.data[name].item() for name in names])
    notes = " ".join(note.text for note in drawn.layout.annotations)
    assert ("recovered: " in notes) == next_token


def test_features():
    """Every active feature is in one bin, the last one too."""
    drawn = views.figure(sample(), show="features")
    assert drawn.data[0].y.sum() == 7
    assert drawn.data[0].y[-1] == 1
    assert "2 of 9 features were never active" in drawn.layout.annotations[0].text


@pytest.mark.parametrize("k", [None, 1, 5])
def test_probing(k):
    result = sample()
    drawn = views.figure(result, show="probing", **({} if k is None else {"k": k}))
    for trace, name in zip(drawn.data, ("accuracy", "raw_accuracy", "shuffled_accuracy"), strict=True):
        assert_array_equal(trace.y, result.data[name].sel(budget=k or 5))


def test_others():
    result = sample()
    drawn = views.figure(result, show="mcc")
    assert_array_equal(drawn.data[0].z, result.data["mcc"])


def test_what_is_not_there():
    result = sample()
    bare = type(result)(result.data.drop_dims(["target", "dictionary", "other_dictionary", "entry"]))
    for show, remedy in (("probing", "more windows"), ("mcc", "option others")):
        with pytest.raises(OptionError, match=remedy):
            views.figure(bare, show=show)
    with pytest.raises(OptionError, match="choose from 1, 2, 5"):
        views.figure(result, show="probing", k=3)
    dead = result.data.copy(deep=True)
    dead["density"][:] = 0
    assert not np.sum(views.figure(type(result)(dead), show="features").data[0].y)
