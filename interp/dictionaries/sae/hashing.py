"""What a dictionary is known by."""

import hashlib
import json

from interp.dictionaries.sae.attached import Attached
from interp.models.hashing import hash_of_parameters


def dictionary_hash(attached: Attached) -> str:
    """Sixteen hexadecimal digits of what a dictionary computes: its weights, and how it chooses features."""
    config = {
        name: value
        for name, value in attached.sae.cfg.to_dict().items()
        if name not in ("metadata", "device", "dtype", "reshape_activations")
    }
    said = json.dumps(config, sort_keys=True, default=str)
    return hashlib.blake2b((hash_of_parameters(attached.sae) + said).encode(), digest_size=8).hexdigest()
