"""Active features of vectors: the sparse codes of a sample of a data set, kept by feature, and what they reconstruct.

N vectors of P numbers, D features, E activations above 0, A vectors on which one feature is active.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lrx.core.sparse_code import SparseCode
from lrx.core.types import Dataset
from lrx.core.validation import SettingError
from lrx.responses.encoding import eval_mode, image_order, num_drawn, observations

ENTRIES = 1 << 22  # of a matrix (vectors, D) that is held at a time
MOST_ACTIVATIONS = 1 << 25  # kept in all, about 0.7 GB while they are sorted


@dataclass(frozen=True)
class ActiveFeatures:
    """Sparse codes of N vectors, by feature.

    decoded_NP: decode(encode(x)). starts_D1: where the activations of each feature begin, int64 (D + 1,), on the CPU.
    vectors_E: int64, of each activation. values_E: activations. num_active_N: features that are active on each vector.
    unexplained_N, spread_N: |x - decode(encode(x))|^2 and |x - mean of x|^2, in the units of what is decoded.
    """

    decoded_NP: Tensor
    starts_D1: Tensor
    vectors_E: Tensor
    values_E: Tensor
    num_active_N: Tensor
    unexplained_N: Tensor
    spread_N: Tensor

    def of(self, feature: int) -> tuple[Tensor, Tensor]:
        """Return the vectors (A,) on which a feature is active, and its activations (A,)."""
        start, end = self.starts_D1[feature : feature + 2].tolist()
        return self.vectors_E[start:end], self.values_E[start:end]


def rows_at_once(num_features: int) -> int:
    """Return the number of codes (rows of D) that are held at a time."""
    return max(1, ENTRIES // num_features)


def active_features(
    autoencoder: SparseCode, dataset: Dataset, generator: torch.Generator, *, num_vectors: int
) -> ActiveFeatures:
    """Encode `num_vectors` vectors in random order, or all where there are fewer.

    SettingError where so many activations are above 0 that they fill the memory.
    """
    chosen_N = image_order(dataset, generator)[: min(num_vectors, num_drawn(dataset))]
    num_features, like = len(autoencoder.decoder_DP), autoencoder.decoder_DP
    decoded_NP, x_NP = (like.new_empty(len(chosen_N), like.shape[1]) for _ in range(2))
    # filled in place: small tensors that stay between blocks that go would leave holes, of gigabytes in all
    entries = [torch.empty(0, dtype=kind, device=like.device) for kind in (torch.int32, torch.int32, like.dtype)]
    count = 0
    with eval_mode(autoencoder):
        for part in torch.split(torch.arange(len(chosen_N)), rows_at_once(num_features)):
            x_BP = observations(autoencoder, dataset, chosen_N[part])
            f_BD = autoencoder.encode(x_BP)
            place_E, feature_E = f_BD.nonzero(as_tuple=True)
            new = place_E + part[0], feature_E, f_BD[place_E, feature_E]
            entries = [_with(buffer, count, values) for buffer, values in zip(entries, new, strict=True)]
            count += len(place_E)
            if count > MOST_ACTIVATIONS:
                done = int(part[-1]) + 1
                raise SettingError(
                    f"num_vectors={num_vectors} is too many: {count // done:,} features are active on a vector, and "
                    f"{MOST_ACTIVATIONS:,} activations are kept; give {MOST_ACTIVATIONS * done // count}"
                )
            decoded_NP[part], x_NP[part] = autoencoder.decode(f_BD), autoencoder.normalised(x_BP)
    vectors_E, feature_E, values_E = (buffer[:count] for buffer in entries)
    order_E = feature_E.argsort(stable=True)
    counts_D = torch.bincount(feature_E, minlength=num_features)
    return ActiveFeatures(
        decoded_NP,
        torch.cat([counts_D.new_zeros(1), counts_D.cumsum(0)]).cpu(),
        vectors_E[order_E].cpu().long(),
        values_E[order_E],
        torch.bincount(vectors_E, minlength=len(chosen_N)),
        (x_NP - decoded_NP).double().square().sum(1),
        (x_NP - x_NP.mean(0)).double().square().sum(1),
    )


def _with(buffer: Tensor, count: int, values: Tensor) -> Tensor:
    """Return a buffer whose first `count` numbers are followed by these values; one twice as long where it is full."""
    if count + len(values) > len(buffer):
        buffer = torch.cat([buffer[:count], buffer.new_empty(max(count, len(values)))])
    buffer[count : count + len(values)] = values
    return buffer
