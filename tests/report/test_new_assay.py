"""An assay of one's own, whatever its name: measured, drawn and reported through the command line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import TINY, Lrx
from tests.report.test_page import Page

ROOT = Path(__file__).parents[2]
NAMES = ("page", "style")  # of which `lrx.report` has, or had, modules
UNDESCRIBED = "style"  # whose description lacks its picture


def copy_of_lrx(folder: Path) -> None:
    """A copy of lrx with further assays, which are `response_matrix` under other names."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lrx", folder / "lrx", ignore=ignore)
    shutil.copytree(ROOT / "configs", folder / "lrx" / "configs", ignore=ignore)
    assays, configs = folder / "lrx" / "assays", folder / "lrx" / "configs" / "assay"
    for name in NAMES:
        for source in (assays / "response_matrix").glob("*.py"):
            text = source.read_text(encoding="utf-8").replace("response_matrix", name)
            if source.name == "description.py":
                text = text.replace("Latent response matrix", f"Title of {name}")
                if name == UNDESCRIBED:
                    text = text.replace(f'"{name}": Picture', '"other": Picture')
            (assays / name).mkdir(exist_ok=True)
            (assays / name / source.name).write_text(text, encoding="utf-8")
        yaml = (configs / "response_matrix.yaml").read_text(encoding="utf-8").replace("response_matrix", name)
        (configs / f"{name}.yaml").write_text(yaml, encoding="utf-8")


def test_assay_named_like_a_report_module(lrx: Lrx, tmp_path: Path, environment: dict[str, str]) -> None:
    assert lrx("train", *TINY, "name=t").returncode == 0
    copy_of_lrx(tmp_path)
    options = ["ckpt=outputs/train/t", "assay.num_samples=16"]
    commands = [["assay", f"assay={name}", *options, f"name=of-{name}"] for name in NAMES]
    typed = [*commands, ["report", "outputs/train/t"]]
    run = f"from lrx.cli.main import main; import sys; sys.exit(max(main(words) for words in {typed!r}))"
    done = subprocess.run(
        [sys.executable, "-c", run],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = Page(tmp_path / "outputs/train/t/report.html")
    for name in NAMES:
        assert (tmp_path / f"outputs/assay/of-{name}/{name}.png").is_file()
        assert f"Title of {name}" in report.text
    texts = [image["alt"] for image in report.images]
    assert len(texts) == 1 + len(NAMES)
    assert sum("A heat map" in text for text in texts) == len(NAMES) - 1
    assert sum(text.startswith(f"Picture {UNDESCRIBED} of Title of {UNDESCRIBED}.") for text in texts) == 1
    (warning,) = [line for line in done.stderr.splitlines() if "warning" in line]
    assert f"lrx/assays/{UNDESCRIBED}/description.py describes no picture '{UNDESCRIBED}'" in warning
    assert "result.h5" not in warning
