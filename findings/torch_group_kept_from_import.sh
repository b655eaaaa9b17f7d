#!/usr/bin/env bash
# torch 2.13.0: torch.distributed.nn.functional keeps the process group of its import, and any dispatch mode imports it.
#
# Its functions have the default group=group.WORLD, evaluated once. Imported before init_process_group they take the
# current group; imported after, the first one, even when that was destroyed and another made. The import need not be
# one's own: the first operation under a TorchDispatchMode (a FLOP counter, say) imports torch._dynamo, and that this
# module.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
cat > "$folder/group.py" <<'PY'
import sys
import warnings

import torch
import torch.distributed as dist
from torch.utils._python_dispatch import TorchDispatchMode

warnings.simplefilter("ignore")
MODULE = "torch.distributed.nn.functional"


class Mode(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        return function(*arguments, **(keywords or {}))


def use_mode():
    with Mode():
        torch.ones(2) + 1


def start_group():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)


def broadcast():
    try:
        return sys.modules[MODULE].broadcast(torch.ones(2), src=0).tolist()
    except ValueError as error:
        return f"ValueError: {str(error).split(' object')[0]} ...> {str(error).split('> ')[-1]}"


imported = [name in sys.modules for name in (MODULE, "torch._dynamo")]
if sys.argv[1] == "before":
    use_mode()
start_group()
if sys.argv[1] == "after":
    use_mode()
imported += [name in sys.modules for name in (MODULE, "torch._dynamo")]
first = broadcast()
dist.destroy_process_group()
start_group()
second = broadcast()
dist.destroy_process_group()
print(f"mode used {sys.argv[1]} the group was made: broadcast in the first group {first}, in the second {second}")
assert imported == [False, False, True, True], f"changed: {imported}"
assert first == [1.0, 1.0], "changed"
assert (second == first) if sys.argv[1] == "before" else ("is not registered" in second), "changed"
PY
for order in before after; do "$folder/venv/bin/python" "$folder/group.py" $order; done
