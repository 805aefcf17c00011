"""One short hash of all parameters of a model."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn


def hash_of_parameters(model: nn.Module) -> str:
    """Sixteen hexadecimal digits that tell two models apart, whatever they are called."""

    def digest(entry: tuple[str, Tensor]) -> bytes:
        name, tensor = entry
        data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        return hashlib.blake2b(data.data, key=name[-64:].encode()).digest()

    with ThreadPoolExecutor() as pool:
        return hashlib.blake2b(
            b"".join(pool.map(digest, sorted(model.state_dict().items()))), digest_size=8
        ).hexdigest()
