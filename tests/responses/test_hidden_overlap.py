"""Hidden overlap: a child whose direction holds that of its parent, which the parent's encoder does not read."""

from __future__ import annotations

import torch

from lrx.responses.hidden_overlap import hidden_overlap
from tests.support.sparse_codes import model_of, orthonormal

PARENT, CHILD, OTHER = 0, 1, 2


def test_absorbed_parent_is_found() -> None:
    root = 0.5**0.5
    decoder = torch.tensor([[1, 0, 0], [root, root, 0], [0, 0, 3]], dtype=torch.float64)
    encoder = torch.tensor([[1, 1, 0], [-1, 1, 0], [0, 0, 5]], dtype=torch.float64)  # the parent reads away the child
    model = model_of(encoder, decoder)
    features = torch.arange(3)
    counts, (pairs, cosine, response) = hidden_overlap(
        model.decoder_DP,
        model.own_gains(),
        features_B=features,
        g_BD=model.rows_of_g(model.decoder_DP),
        cosine=0.3,
        response=0.05,
    )
    assert counts.tolist() == [0, 1, 0]
    assert pairs.tolist() == [[CHILD, PARENT]]
    torch.testing.assert_close(cosine, torch.tensor([root], dtype=torch.float64))
    torch.testing.assert_close(response, torch.zeros(1, dtype=torch.float64))


def test_orthonormal_dictionary_has_none() -> None:
    decoder = orthonormal()
    counts, _ = hidden_overlap(
        decoder, torch.ones(6), features_B=torch.arange(6), g_BD=decoder @ decoder.T, cosine=0.3, response=0.05
    )
    assert counts.sum() == 0
