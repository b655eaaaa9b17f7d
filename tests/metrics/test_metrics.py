"""The established metrics on codes whose scores are known: perfect, permuted, rotated, random, collapsed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from lrx.metrics.betavae import BetaVAE, betavae
from lrx.metrics.dci import DCI, dci
from lrx.metrics.explicitness import explicitness
from lrx.metrics.factorvae import FactorVAE, factorvae
from lrx.metrics.irs import irs
from lrx.metrics.mig import mig
from lrx.metrics.modularity import modularity
from lrx.metrics.points import as_codes_and_classes
from lrx.metrics.sap import SAP, sap
from lrx.metrics.unsupervised import unsupervised
from tests.support.models_for_tests import one_thread as one_thread

SIZES = (4, 5, 3)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grid(repeats: int = 20, sizes: tuple[int, ...] = SIZES, seed: int = 0) -> np.ndarray:
    """Every combination equally often, in random order, so that factors are exactly independent."""
    cells = np.stack(np.unravel_index(np.arange(math.prod(sizes)), sizes), axis=1)
    return np.random.default_rng(seed).permutation(np.tile(cells, (repeats, 1)))


def standardised(classes: np.ndarray) -> np.ndarray:
    return (classes - classes.mean(axis=0)) / classes.std(axis=0)


def rotated(angle: float, size: int = 8, repeats: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Two equal factors, and codes that turn them by an angle in degrees."""
    classes, turn = grid(repeats, (size, size)), math.radians(angle)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return standardised(classes) @ rotation, classes


def noise(count: int, latents: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, latents))


def votes(codes: np.ndarray, classes: np.ndarray, seed: int = 0, dead_below: float = 0.05) -> FactorVAE:
    return factorvae(
        codes,
        classes,
        num_train=len(codes) * 2 // 3,
        train_votes=1000,
        eval_votes=1000,
        points_per_vote=64,
        dead_below=dead_below,
        generator=seeded(seed),
    )


def pairs(codes: np.ndarray, classes: np.ndarray, seed: int = 0) -> BetaVAE:
    given = {"num_train": len(codes) * 2 // 3, "train_votes": 1000, "eval_votes": 1000, "pairs_per_vote": 64}
    return betavae(codes, classes, **given, generator=seeded(seed))


def grown(codes: np.ndarray, classes: np.ndarray, trees: str = "lightgbm", threads: int = 1) -> DCI:
    return dci(codes, classes, num_train=len(codes) * 2 // 3, trees=trees, num_threads=threads, generator=seeded())


def separated(codes: np.ndarray, classes: np.ndarray) -> SAP:
    return sap(codes, classes, num_train=len(codes) * 2 // 3, penalty=0.01, generator=seeded())


SCORES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "mig": lambda codes, classes: mig(codes, classes, bins=20).mig,
    "irs": lambda codes, classes: irs(codes, classes, quantile=0.99).irs,
    "disentanglement": lambda codes, classes: grown(codes, classes).disentanglement,
    "completeness": lambda codes, classes: grown(codes, classes).completeness,
    "informativeness": lambda codes, classes: grown(codes, classes).informativeness,
    "sap": lambda codes, classes: separated(codes, classes).sap,
    "factorvae": lambda codes, classes: votes(codes, classes).factorvae,
    "betavae": lambda codes, classes: pairs(codes, classes).betavae,
    "modularity": lambda codes, classes: modularity(codes, classes, bins=20, generator=seeded()).modularity,
    "explicitness": lambda codes, classes: explicitness(codes, classes, num_train=len(codes) * 2 // 3).explicitness,
}
# perfect, random and collapsed codes of three factors; None where the score is no round number
KNOWN: dict[str, tuple[float | None, float | None, float | None, float]] = {
    "mig": (1, 0, 0, 0.01),
    "irs": (1, None, 0, 1e-12),
    "disentanglement": (1, 0, 0, 0.03),
    "completeness": (1, 0, 0, 0.03),
    "informativeness": (1, np.mean(1 / np.array(SIZES)), np.mean(1 / np.array(SIZES)), 0.05),
    "sap": (None, 0, 0, 0.08),
    "factorvae": (1, 1 / 3, 0, 0.06),
    "betavae": (1, 1 / 3, 1 / 3, 0.06),
    "modularity": (1, 0, 0, 1e-6),
    "explicitness": (1, 0.5, 0.5, 0.04),
}


@pytest.mark.parametrize("name", SCORES)
def test_perfect_permuted_random_and_collapsed_codes(name: str) -> None:
    classes, score = grid(), SCORES[name]
    perfect, random, collapsed, tolerance = KNOWN[name]
    good = score(standardised(classes), classes)
    if perfect is not None:
        assert good == pytest.approx(perfect, abs=tolerance)
    assert score(-standardised(classes)[:, [2, 0, 1]], classes) == pytest.approx(good, abs=1e-2)
    if random is not None:
        assert score(noise(len(classes), 3), classes) == pytest.approx(random, abs=tolerance)
    if collapsed is not None:
        assert score(np.full((len(classes), 3), 0.7), classes) == pytest.approx(collapsed, abs=tolerance)


def test_sap_of_two_valued_factors() -> None:
    classes = grid(300, (2, 2))
    assert separated(standardised(classes), classes).sap == pytest.approx(0.5, abs=0.05)
    assert separated(standardised(classes), classes).accuracy_DF.diagonal().tolist() == [1, 1]


def test_rotation_by_45_degrees_hides_factors() -> None:
    codes, classes = rotated(45)
    codes = codes + 0.01 * noise(len(codes), 2)  # else rounding breaks the ties of FactorVAE's votes
    assert SCORES["mig"](codes, classes) == pytest.approx(0, abs=0.01)
    assert SCORES["modularity"](codes, classes) == pytest.approx(0, abs=0.02)
    assert SCORES["disentanglement"](codes, classes) < 0.05
    for accuracy, se in (votes(codes, classes)[:2], pairs(codes, classes)[:2]):
        assert accuracy == pytest.approx(0.5, abs=3 * se)
        assert se < 0.12  # of 427 test images, whose unequal values decide which latent varies least
    assert SCORES["sap"](codes, classes) < 0.05
    assert SCORES["explicitness"](codes, classes) > 0.99  # a linear classifier turns it back


def test_trees_ignore_global_seeds_and_threads() -> None:
    codes, classes = rotated(15, size=2, repeats=30)
    codes = codes + 0.1 * noise(len(codes), 2)
    ways = (("lightgbm", 1), ("lightgbm", 2), ("sklearn", 1))
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    first = [grown(codes, classes, *way) for way in ways]
    torch.manual_seed(6)
    np.random.seed(6)  # noqa: NPY002
    again = [grown(codes, classes, *way) for way in ways]
    for one, other in ((first[0], first[1]), *zip(first, again, strict=True)):
        assert np.array_equal(one.importance_DF, other.importance_DF)
        assert one.informativeness == other.informativeness


@pytest.mark.parametrize("name", SCORES)
def test_a_score_is_its_seed_and_takes_tensors(name: str) -> None:
    codes, classes = rotated(20)
    given = torch.from_numpy(codes), torch.from_numpy(classes)
    assert SCORES[name](codes, classes) == SCORES[name](*given)  # type: ignore[arg-type]


def test_factorvae_counts_and_prunes_dead_latents() -> None:
    classes = grid()
    codes = np.concatenate([0.04 * standardised(classes)[:, :1], standardised(classes), np.ones((len(classes), 1))], 1)
    found = votes(codes, classes)
    assert found.num_active == 3
    assert not found.votes_DF[[0, 4]].any()
    assert found.factorvae == 1
    assert votes(codes, classes, dead_below=0.0).num_active == 4  # a constant latent is never kept


def drawn(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Fresh points of one model: two factors of 4 and 3 values, turned and blurred."""
    classes = np.stack([random.integers(4, size=count), random.integers(3, size=count)], axis=1)
    codes = (classes - [1.5, 1]) @ np.array([[1, 0.4], [-0.3, 1]]) + 0.4 * random.normal(size=(count, 2))
    return codes, classes


@pytest.mark.parametrize("latents", [1, 256])
@pytest.mark.parametrize("name", SCORES)
def test_one_latent_or_256(name: str, latents: int) -> None:
    classes = grid(30, (2, 3))
    codes = noise(len(classes), latents)
    codes[:, 0] = classes[:, 0]
    assert 0 <= SCORES[name](codes, classes) <= 1


def test_one_latent_is_compared_with_a_dead_one() -> None:
    classes = grid()
    codes = standardised(classes)[:, :1]
    beside = np.concatenate([codes, np.zeros_like(codes)], axis=1)
    assert mig(codes, classes, bins=20).mig == pytest.approx(mig(beside, classes, bins=20).mig)
    assert separated(codes, classes).sap == separated(beside, classes).sap
    assert grown(codes, classes).completeness == grown(beside, classes).completeness == 1


def test_single_factor_has_none_to_compare() -> None:
    classes = grid(250, (4,))
    codes = np.concatenate([classes + 0.1 * noise(len(classes), 1), noise(len(classes), 1)], axis=1)
    for name in ("betavae", "factorvae", "disentanglement", "modularity"):
        assert math.isnan(SCORES[name](codes, classes)), name
    for name in ("mig", "completeness", "informativeness", "explicitness"):
        assert SCORES[name](codes, classes) > 0.8, name


def test_rounding_is_not_read_as_code() -> None:
    classes = grid()
    codes = np.concatenate([standardised(classes), np.full((len(classes), 1), 3.0)], axis=1).astype(np.float32)
    codes[::2, 3] = np.nextafter(np.float32(3), np.float32(4))
    assert np.ptp(as_codes_and_classes(codes, classes)[0][:, 3]) == 0
    assert irs(codes, classes, quantile=0.99).num_active == 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("centre", "roundings"), [(1.0, 18), (-3.0, 40), (0.0, 18)])
def test_latent_that_varies_by_roundings_is_constant(dtype: type, centre: float, roundings: int) -> None:
    classes = grid()
    codes = np.concatenate([standardised(classes), np.full((len(classes), 1), centre)], axis=1).astype(dtype)
    codes[::2, 3] += roundings * np.spacing(dtype(centre))
    assert np.ptp(codes[:, 3]) > 0
    for name in ("mig", "modularity", "irs", "explicitness"):
        assert SCORES[name](codes, classes) == pytest.approx(SCORES[name](codes[:, :3], classes), abs=1e-6), name
    assert not mig(codes, classes, bins=20).mutual_information_DF[3].any()
    assert unsupervised(codes, bins=20).mutual_information_score < 0.1


@pytest.mark.parametrize(
    ("codes", "classes", "message"),
    [
        (np.ones(3), np.ones((3, 1), int), "codes must be"),
        (np.full((3, 1), np.nan), np.eye(3, dtype=int), "codes must be finite"),
        (np.ones((3, 1)), np.ones((2, 1), int), "classes must be"),
        (np.ones((3, 1)), np.eye(3), "classes must be whole numbers, not float64"),
        (np.ones((3, 1)), np.array([[0, 1], [0, 2], [0, 1]]), "leave out columns 0"),
    ],
)
def test_what_is_no_codes_and_classes_is_refused(codes: np.ndarray, classes: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mig(codes, classes, bins=20)


def test_empty_split_and_unknown_trees_are_refused() -> None:
    classes = grid(1)
    codes = standardised(classes)
    for num_train in (1, len(classes)):
        with pytest.raises(ValueError, match="num_train must be from 2 to 59"):
            explicitness(codes, classes, num_train=num_train)
    with pytest.raises(ValueError, match="trees must be one of lightgbm, sklearn, not 'forest'"):
        dci(codes, classes, num_train=30, trees="forest", num_threads=1, generator=seeded())
