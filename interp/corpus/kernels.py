"""Linear kernels over the tokens of a minibatch, as the unbiased estimate of HSIC multiplies them."""

from jaxtyping import Float
from torch import Tensor

FEWEST = 4  # tokens: the estimate divides by n − 3


def u_centred(x: Float[Tensor, "token width"]) -> Float[Tensor, "pair"]:
    """X Xᵀ without its diagonal, centred so that rows and columns sum to zero without it.

    HSIC of two sets of vectors is the product of theirs over n (n − 3).
    Source: Székely & Rizzo 2014, section 3.
    """
    n = len(x)
    x = x - x.mean(0)  # changes nothing but the digits that are lost
    gram = (x @ x.T).fill_diagonal_(0)
    rows = gram.sum(0) / (n - 2)
    gram = gram - rows - rows[:, None] + rows.sum() / (n - 1)
    return gram.fill_diagonal_(0).flatten()
