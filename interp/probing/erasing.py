"""Taking a label out of states, and putting it in."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

ROUNDING = 1e-9  # share of the largest singular value below which one is nought


@dataclass(frozen=True)
class Affine:
    """x ↦ x − (x − μ) F + shift, by its two thin factors: F = `left` @ `right`."""

    mean: Float[np.ndarray, "d_model"]
    left: Float[np.ndarray, "d_model rank"]
    right: Float[np.ndarray, "rank d_model"]
    shift: Float[np.ndarray, "d_model"] | float = 0.0

    def __call__(self, states: Float[np.ndarray, "row d_model"]) -> Float[np.ndarray, "row d_model"]:
        """The states after it."""
        return states - (states - self.mean) @ self.left @ self.right + self.shift


def one_hot(codes: Int[np.ndarray, "row"]) -> Float[np.ndarray, "row class"]:
    """A column for each label."""
    return np.eye(int(codes.max()) + 1)[codes]


def leace(states: Float[np.ndarray, "row d_model"], codes: Int[np.ndarray, "row"]) -> Affine:
    """The least change of states after which no linear probe predicts the labels better than their means.

    x − W⁺ΠW(x − μ) with W = Σ_xx^{−1/2} and Π the orthogonal projection on the columns of WΣ_xz. Directions in which
    the states do not vary are left alone.
    Source: Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed form", theorem 4.3.
    """
    mean = states.mean(0)
    x, z = states - mean, one_hot(codes)
    z = z - z.mean(0)
    # Σ_xx = V s² Vᵀ / n, from the singular values of x itself: no digits are lost to a square.
    _, singular, directions = np.linalg.svd(x, full_matrices=False)
    there = singular > singular.max(initial=0.0) * max(x.shape) * np.finfo(float).eps
    scale, basis = singular[there] / np.sqrt(len(x)), directions[there].T
    whitened = (basis / scale).T @ (x.T @ z / len(x))
    columns, sizes, _ = np.linalg.svd(whitened, full_matrices=False)
    columns = columns[:, sizes > sizes.max(initial=0.0) * ROUNDING]  # one label's column follows from the others'
    return Affine(mean, (basis / scale) @ columns, columns.T @ (basis * scale).T)


def projection(states: Float[np.ndarray, "row d_model"], codes: Int[np.ndarray, "row"]) -> Affine:
    """The states without the span of the differences between class means, which are put at the mean there."""
    means = np.stack([states[codes == code].mean(0) for code in np.unique(codes)])
    return without_span(states.mean(0), means - means.mean(0))


def without_span(mean: Float[np.ndarray, "d_model"], rows: Float[np.ndarray, "row d_model"]) -> Affine:
    """What sets the span of `rows` to the mean's part in it."""
    _, sizes, directions = np.linalg.svd(rows, full_matrices=False)
    basis = directions[sizes > sizes.max(initial=0.0) * ROUNDING].T
    return Affine(mean, basis, basis.T)


def addition(states: Float[np.ndarray, "row d_model"], codes: Int[np.ndarray, "row"]) -> Affine:
    """The states moved by the mean of the last label minus that of the first."""
    first, last = (states[codes == code].mean(0) for code in (codes.min(), codes.max()))
    none = np.zeros((states.shape[1], 0))
    return Affine(states.mean(0), none, none.T, last - first)
