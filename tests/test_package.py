"""A wheel built from the checkout works outside of it, configs included."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_wheel_works_outside_checkout(tmp_path: Path) -> None:
    def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(site), "LRX_DATA": str(tmp_path / "data")}
        done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done

    source, site, away = tmp_path / "source", tmp_path / "site", tmp_path / "away"
    away.mkdir()
    for part in ("lrx", "configs"):
        shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(source), cwd=tmp_path)
    (wheel,) = tmp_path.glob("lrx-*.whl")
    run(*pip, "install", "--no-deps", "--target", str(site), str(wheel), cwd=tmp_path)
    shutil.rmtree(source)

    where = run(sys.executable, "-c", "import lrx, lrx.configs; print(lrx.__file__, *lrx.configs.__path__)", cwd=away)
    assert {Path(path).parent.parent for path in where.stdout.split()} == {site}
    assert (site / "bin" / "lrx").is_file()
    typed = [
        ["train", "experiment=helix", "trainer.steps=5", "name=a"],
        ["assay", "ckpt=outputs/train/a", "assay.num_samples=16", "name=a"],
        ["report", "outputs/assay/a"],
    ]
    code = f"from lrx.cli.main import main; import sys; sys.exit(max(main(words) for words in {typed!r}))"
    run(sys.executable, "-c", code, cwd=away)
    assert (away / "outputs/assay/a/result.h5").is_file()
    assert (away / "outputs/assay/a/response_matrix.png").is_file()
    assert "<style>" in (away / "outputs/assay/a/report.html").read_text(encoding="utf-8")
