#!/usr/bin/env bash
# torch 2.13.0: nn.Module.compile leaves out encode and decode, and does nothing for nn.Sequential.
#
# module.compile() replaces what module(x) calls. Methods called by name, forward too, run as before without a warning:
# an autoencoder that is used by encode and decode gains nothing. Compiled in place, nn.Sequential and nn.Linear
# themselves are not traced even when called; torch.compile(nn.Sequential(...)) is. The backend here counts the graphs
# it is given.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import torch
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(8, 3), nn.Linear(3, 8)

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


graphs = []


def backend(graph, inputs):
    graphs.append(graph)
    return graph.forward


def compiled(call, *arguments):
    graphs.clear()
    torch.compiler.reset()
    call(*arguments)
    return len(graphs)


x, z = torch.randn(2, 8), torch.randn(2, 3)
model, layers, linear = Autoencoder(), nn.Sequential(nn.Linear(8, 8), nn.ELU()), nn.Linear(8, 8)
for module in (model, layers, linear):
    module.compile(backend=backend)
seen = {
    "model(x)": compiled(model, x),
    "model.encode(x)": compiled(model.encode, x),
    "model.decode(z)": compiled(model.decode, z),
    "model.forward(x)": compiled(model.forward, x),
    "Sequential.compile(), called": compiled(layers, x),
    "Linear.compile(), called": compiled(linear, x),
    "torch.compile(Sequential), called": compiled(torch.compile(nn.Sequential(nn.Linear(8, 8)), backend=backend), x),
    "torch.compile(model.encode), called": compiled(torch.compile(Autoencoder().encode, backend=backend), x),
}
for call, number in seen.items():
    print(f"{call}: {number} graphs")
assert list(seen.values()) == [1, 0, 0, 0, 0, 0, 1, 1], "changed"
PY
