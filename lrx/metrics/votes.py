"""Votes of FactorVAE and BetaVAE: draws of images that share the value of a factor, and the error of an accuracy.

N images, F factors, V votes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lrx.core.statistics import binomial_se

HALVES = 20  # random halves of the images, from which their part of the error comes


class SharedValues:
    """Index of the images that have the same value of a factor, for each image and factor.

    factors: those of which two images share a value, the only ones that votes can fix.
    """

    def __init__(self, classes_NF: np.ndarray) -> None:
        """Sort the images (N, F) by each factor once. ValueError where no two images share a value."""
        self.order_FN = np.argsort(classes_NF, axis=0, kind="stable").T
        sorted_FN = np.take_along_axis(classes_NF.T, self.order_FN, axis=1)
        pairs = list(zip(sorted_FN, classes_NF.T, strict=True))
        self.start_FN = np.stack([np.searchsorted(row, column, "left") for row, column in pairs])
        self.stop_FN = np.stack([np.searchsorted(row, column, "right") for row, column in pairs])
        self.place_FN = np.argsort(self.order_FN, axis=1)
        partnered_FN = self.stop_FN - self.start_FN > 1
        self.factors = np.flatnonzero(partnered_FN.any(axis=1))
        if not len(self.factors):
            raise ValueError(f"no two of {len(classes_NF)} images share the value of a factor, which votes compare")
        self._count_F = partnered_FN.sum(axis=1)
        self._partnered_FN = np.argsort(~partnered_FN, axis=1, kind="stable")  # those with a partner first

    def draw(self, factors: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Draw, with replacement, an image that shares its value of the factor with another one; of one shape."""
        return np.asarray(self._partnered_FN[factors, random.integers(self._count_F[factors])])

    def sharing(self, images: np.ndarray, factors: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Draw, with replacement, an image with the same value of the factor as each image; all of one shape."""
        start, stop = self.start_FN[factors, images], self.stop_FN[factors, images]
        return np.asarray(self.order_FN[factors, random.integers(start, stop)])

    def partner(self, images: np.ndarray, factors: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Draw another image than each, with the same value of the factor; all of one shape."""
        start, stop = self.start_FN[factors, images], self.stop_FN[factors, images]
        places = random.integers(start, stop - 1)
        return np.asarray(self.order_FN[factors, places + (places >= self.place_FN[factors, images])])


def accuracy_and_se(
    correct: Callable[[np.ndarray, int], np.ndarray], num_images: int, votes: int, random: np.random.Generator
) -> tuple[float, float]:
    """Return the accuracy over votes, and its standard error, over votes and over the images that they are drawn from.

    correct: rows int64 of test images, and a number of votes, to bool (votes,). Votes of few images repeat them, and
    their errors are alike. The part of the images is the variance over random halves of them, which is that over sets
    of all (a half deviates from the whole as the whole does from its population; McCarthy 1969), less that of votes.
    """
    accuracy = float(correct(np.arange(num_images), votes).mean())
    of_votes, few = binomial_se(accuracy, votes), max(1, votes // 2)
    found = []
    for _ in range(HALVES):
        half = random.permutation(num_images)[: num_images // 2]
        try:
            found.append(correct(half, few).mean())
        except ValueError:  # no two of these images share a value
            continue
    if len(found) < HALVES // 2:
        return accuracy, math.nan
    of_images = max(0.0, float(np.var(found, ddof=1)) - accuracy * (1 - accuracy) / few)
    return accuracy, math.sqrt(of_votes**2 + of_images)
