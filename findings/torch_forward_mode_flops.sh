#!/usr/bin/env bash
# torch 2.13.0: a forward-mode derivative of a frozen layer costs three passes, one of them with weights of zero.
#
# torch.func.jvp and dual tensors put in zeros for the tangent of a weight that has none, and multiply by them: a linear
# or convolutional layer is evaluated at its input, at the tangent, and at its input with zero weights. One
# vector-Jacobian product of the same layer costs two passes. Counts are of torch's FlopCounterMode.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

WEIGHT_OPERAND = {torch.ops.aten.convolution.default: 1, torch.ops.aten.mm.default: 1, torch.ops.aten.addmm.default: 2}


class ZeroWeights(TorchDispatchMode):
    """Count products by a weight of zeros alone."""

    def __init__(self):
        super().__init__()
        self.products = self.of_zeros = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        if function in WEIGHT_OPERAND:
            self.products += 1
            self.of_zeros += not arguments[WEIGHT_OPERAND[function]].any()
        return function(*arguments, **(keywords or {}))


def flops(call):
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


images = torch.randn(8, 4, 16, 16)
for layer, x in (
    (nn.Linear(64, 64), torch.randn(8, 64)),
    (nn.Conv2d(4, 8, 3), images),
    (nn.ConvTranspose2d(4, 8, 4, 2, 1), images),
):
    layer.requires_grad_(False)
    tangent, cotangent = torch.randn_like(x), torch.randn_like(layer(x))

    def forward_mode():
        torch.func.jvp(layer, (x,), (tangent,))

    def reverse_mode():
        start = x.clone().requires_grad_().clone()
        torch.autograd.grad(layer(start), start, cotangent)

    forward = flops(lambda: layer(x))
    with ZeroWeights() as zeros:
        forward_mode()
    costs = flops(forward_mode) / forward, flops(reverse_mode) / forward
    print(f"{type(layer).__name__}: forward mode {costs[0]:g} passes, reverse mode {costs[1]:g}; "
          f"of {zeros.products} products of forward mode by zero weights: {zeros.of_zeros}")
    assert costs == (3, 2) and (zeros.products, zeros.of_zeros) == (3, 1), "changed"
PY
