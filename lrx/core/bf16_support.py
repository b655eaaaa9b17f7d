"""Processors that multiply bfloat16 quickly, by the instructions they have; others emulate it, slower than float32."""

from __future__ import annotations

import torch


def quick_bf16(device: torch.device) -> bool:
    """Return whether bf16 products and convolutions are faster than float32 ones on a device.

    CPU: AVX512-BF16 or AMX. CUDA: compute capability 8.0 or above (Ampere), which has tensor cores for bf16.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    flags = (torch.cpu._is_avx512_bf16_supported(), torch.cpu._is_amx_tile_supported())
    return device.type == "cpu" and any(flags)
