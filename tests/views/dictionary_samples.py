"""A result of a dictionary's quality, by hand; names of dictionaries and targets hold markup."""

import numpy as np

from interp import kinds
from interp.core.prompts import Prompts


def quality(prompts: Prompts, *, next_token: bool = True) -> kinds.DictionaryQuality:
    sizes = {"feature": 9, "target": 3, "budget": 3, "dictionary": 2, "other_dictionary": 2, "entry": 4, "bound": 2}
    values = {}
    for place, (name, declared) in enumerate(kinds.DictionaryQuality.variables.items()):
        shape = [sizes[axis] for axis in declared.axes.split()]
        value = np.random.default_rng(place).uniform(0.1, 0.9, shape)
        missing = not next_token and name.startswith(("ce", "recovered"))
        values[name] = value * np.nan if missing else value
    values["density"] = np.array([0, 0, 1e-3, 2e-3, 1e-2, 0.05, 0.2, 0.3, 1])
    names = np.array(["<b>one</b>", "two & more"], dtype=object)
    return kinds.DictionaryQuality.of(
        prompts,
        values,
        measured="<i>a dictionary</i> over windows",
        target=np.array(["<b>capital</b>", "digit", "a & b"], dtype=object),
        budget=[1, 2, 5],
        dictionary=names,
        other_dictionary=names,
        entry=["l0", "ce", "kl", "dead"],
    )


SAMPLES = {"DictionaryQuality": quality}
