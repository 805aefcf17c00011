"""What a dictionary is known by."""

import hashlib
import json

from interp.dictionaries.sae.attached import Attached
from interp.models.hashing import hash_of_parameters


def dictionary_hash(dictionary: Attached) -> str:
    """Sixteen hexadecimal digits of what a dictionary computes: its weights, and how it chooses features."""
    config = {
        name: value
        for name, value in dictionary.sae.cfg.to_dict().items()
        if name not in ("metadata", "device", "dtype", "reshape_activations")
    }
    text = json.dumps(config, sort_keys=True, default=str)
    return hashlib.blake2b((hash_of_parameters(dictionary.sae) + text).encode(), digest_size=8).hexdigest()
