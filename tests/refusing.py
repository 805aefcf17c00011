"""Models that cannot be loaded."""

import pytest

import interp
from interp.core.errors import ModelError


def refused(name: object, **settings: str) -> str:
    """The one line with which a model is refused."""
    with pytest.raises(ModelError) as caught:
        interp.load(str(name), **settings)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)
