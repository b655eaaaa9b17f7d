"""Run the console script as `python -m lrx.cli`, as torchrun does."""

import importlib
import sys

if __name__ == "__main__":
    sys.exit(importlib.import_module("lrx.cli.main").main())
