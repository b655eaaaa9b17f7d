"""Errors of foreign code: their file and line; errors of lrx and of full memory stay what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lrx.core.foreign_code import ForeignError, foreign_errors, is_foreign, is_out_of_memory, located, packages_of
from tests.cli.test_configs import ToyGrid, model_from
from tests.support.models_for_tests import Linear

HERE = Path(__file__).name


def fail(error: Exception) -> None:
    raise error


def test_error_names_file_and_line() -> None:
    with pytest.raises(ForeignError, match=rf"{HERE}, line \d+, in fail: KeyError: 'x'$") as caught, \
            foreign_errors({"tests"}):  # fmt: skip
        fail(KeyError("x"))
    assert isinstance(caught.value.__cause__, KeyError)


def test_message_of_lines_becomes_one() -> None:
    assert located(ValueError("one\n  two"), {"nowhere"}) == "ValueError: one two"


def test_other_errors_stay() -> None:
    for packages, error in (({"nowhere"}, KeyError("x")), ({"tests"}, RuntimeError("CUDA out of memory. Tried"))):
        with pytest.raises(type(error)) as caught, foreign_errors(packages):
            fail(error)
        assert caught.value is error
    assert is_out_of_memory(MemoryError())
    for library in ("cuBLAS", "cuDNN"):  # a full card, in their words
        assert is_out_of_memory(
            RuntimeError(f"CUDA error: {library.upper()}_STATUS_ALLOC_FAILED when calling f(handle)")
        )
    assert not is_out_of_memory(ValueError("out of memory"))


def test_packages_and_foreign_classes() -> None:
    own = model_from("model=ae", "network=mlp", dataset=ToyGrid((1, 8, 8)))
    assert not is_foreign(own)
    assert packages_of(own) == set()
    assert is_foreign(Linear(torch.eye(2)))
    assert packages_of(torch.nn.Sequential(Linear(torch.eye(2)))) == {"tests"}
