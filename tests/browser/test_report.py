"""Reports in a headless Chromium: `make test-browser` installs it and runs these."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrx.core.types import AssayResult
from lrx.report import page, sweep_page
from lrx.runs import status
from lrx.storage import results
from tests.browser.chromium import Chromium
from tests.report.test_page import matrix_result, written
from tests.report.test_sweep_page import sweep

WIDTHS = (400, 1280)
FITS = "document.documentElement.scrollWidth <= window.innerWidth"
GROUND = "getComputedStyle(document.body).backgroundColor"
LOADED = "[...document.images].map((image) => [image.complete, image.naturalWidth, image.clientWidth])"


@pytest.fixture(scope="module")
def run_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two assays: one with long words, and one with the widest picture that a response matrix makes."""
    small = matrix_result()
    wordy = AssayResult(small.arrays, small.coordinates, {"a" * 90: 1.0}, {"remark": "b" * 300, **small.settings})
    folder = tmp_path_factory.mktemp("run")
    provenance = {"checkpoint_sha256": "0" * 64, "config": f"key: {'c' * 300}\n"}
    return page.write(written(folder, {"response_matrix": small, "wordy": wordy}, **provenance), None)[0]


@pytest.fixture(scope="module")
def sweep_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page.write(sweep(tmp_path_factory.mktemp("sweep")), None)[0]


def test_browser_reports_problems(browser: Chromium, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text(
        "<script>console.error('a'); nothing()</script><img src='http://127.0.0.1:9/b.png'>"
    )
    browser.open(tmp_path / "bad.html", width=400)
    problems = " ".join(browser.problems)
    assert "console.error" in problems
    assert "nothing is not defined" in problems
    assert "asks for http://127.0.0.1:9/b.png" in problems


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["run_report", "sweep_report"])
def test_report_opens_and_fits(
    browser: Chromium, request: pytest.FixtureRequest, kind: str, width: int, dark: bool
) -> None:
    browser.open(request.getfixturevalue(kind), width=width, dark=dark)
    assert browser.problems == []
    assert browser.run(FITS)
    pictures = browser.run(LOADED)
    assert pictures
    assert all(complete and natural > 100 and shown > 100 for complete, natural, shown in pictures)
    browser.run("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert browser.run(FITS)
    red = int(browser.run(GROUND).removeprefix("rgb(").split(",")[0])
    assert red < 60 if dark else red == 255


def column(browser: Chromium, number: int) -> list[str]:
    script = (
        f"[...document.querySelector('table.sortable').tBodies[0].rows].map((row) => row.cells[{number}].textContent)"
    )
    return [str(text) for text in browser.run(script)]


def test_column_heads_sort(browser: Chromium, sweep_report: Path) -> None:
    browser.open(sweep_report, width=1280)
    heads = browser.run(
        "[...document.querySelector('table.sortable').tHead.rows[0].cells].map((c) => c.textContent.trim())"
    )
    assert heads == ["run", "model.beta", "seed", "state", "response matrix: num informative"]
    click = "document.querySelector('table.sortable thead').rows[0].cells[{}].querySelector('button').click()"
    browser.run(click.format(1))
    assert column(browser, 1) == ["1", "1", "4", "4"]
    browser.run(click.format(1))
    assert column(browser, 1) == ["4", "4", "1", "1"]
    assert browser.run("document.querySelectorAll('[aria-sort]').length") == 1
    browser.run(click.format(0))
    assert column(browser, 0) == ["vae-1-0", "vae-1-1", "vae-4-0", "vae-4-1"]
    for _ in range(2):
        browser.run(click.format(4))
        assert column(browser, 4)[-1] == "–"  # without a value last, whichever way
    assert browser.problems == []


def test_settings_sort_by_value(browser: Chromium, tmp_path: Path) -> None:
    for place, beta in enumerate(("0.5", "auto", "16", "0.25", "", "-1", "1.0e-05")):
        run = tmp_path / f"run-{place}"
        run.mkdir()
        (run / "config.yaml").write_text(f"seed: 0\nmodel: {{gamma: 1{beta and ', beta: '}{beta}}}\n")
        status.write(run, status.Status("done", "train"))
    browser.open(page.write(tmp_path, None)[0], width=1280)
    click = "document.querySelector('table.sortable thead').rows[0].cells[1].querySelector('button').click()"
    browser.run(click)
    assert column(browser, 1) == ["-1", "1e-05", "0.25", "0.5", "16", "auto", "–"]
    browser.run(click)
    assert column(browser, 1) == ["auto", "16", "0.5", "0.25", "1e-05", "-1", "–"]
    assert browser.problems == []


def test_filter_takes_the_column_of_a_key(browser: Chromium, tmp_path: Path) -> None:
    for place in range(24):
        run = tmp_path / f"run-{place}"
        run.mkdir()
        model = f"model: {{anneal_steps: {10 + place // 2 % 2}, k: {1 + place % 2}}}\n"
        network = f"network: {{_target_: lrx.models.networks.n{place % 3}}}\n"
        (run / "config.yaml").write_text(f"{network}{model}trainer: {{steps: {100 * (place // 4)}}}\n")
        status.write(run, status.Status("done", "train"))
    browser.open(page.write(tmp_path, None)[0], width=1280)
    for words, runs in (("k=2 steps<200", [1, 3, 5, 7]), ("anneal_steps=10 trainer.steps=500", [20, 21])):
        browser.run(f"document.querySelector('input').value = '{words}'")
        browser.run("document.querySelector('input').dispatchEvent(new Event('input'))")
        assert sorted(column(browser, 0)) == sorted(f"run-{place}" for place in runs), words
    assert browser.problems == []


def test_long_tables_have_pages_and_a_filter(
    browser: Chromium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_page, "MOST_ROWS", 100)
    for seed in range(120):
        (tmp_path / f"run-{seed}").mkdir()
        (tmp_path / f"run-{seed}" / "config.yaml").write_text(f"seed: {seed}\nmodel: {{beta: {seed % 2}}}\n")
        status.write(tmp_path / f"run-{seed}", status.Status("done", "train"))
    written(tmp_path / "run-7" / "paper", {"response_matrix": matrix_result()})
    browser.open(page.write(tmp_path, None)[0], width=1280)
    shown = "document.querySelector('[role=status]').textContent"
    click = "[...document.querySelectorAll('#table button')].find((one) => one.textContent.startsWith('{}')).click()"
    assert browser.run(shown) == "1–100 of 120"
    browser.run(click.format("seed"))
    browser.run(click.format("next"))
    assert browser.run(shown) == "101–120 of 120"
    assert column(browser, 2) == [str(seed) for seed in range(100, 120)]
    keep = (
        "(() => {{ const f = document.querySelector('input'); f.value = '{}'; f.dispatchEvent(new Event('input')) }})()"
    )
    for words, runs in (("beta=1 seed<5", ["1", "3"]), ("RUN-11 seed>=118", ["118", "119"]), ("informative>1", ["7"])):
        browser.run(keep.format(words))
        assert column(browser, 2) == runs, words
    assert browser.run(shown) == "1–1 of 1, of 120 in all"
    assert column(browser, 4) == ["2"]
    browser.pages[-1].emulate_media(media="print")  # which has the rows that are shown alone
    assert browser.run("document.querySelector('[role=status]').getClientRects().length") == 1
    assert browser.run("document.querySelector('input').getClientRects().length") == 0
    assert browser.problems == []


def test_scatter_plot_axes(browser: Chromium, sweep_report: Path) -> None:
    browser.open(sweep_report, width=1280)
    named = "document.querySelector('#scatter svg').getAttribute('aria-label')"
    points = "[...document.querySelectorAll('#scatter svg path > title')].map((title) => title.textContent)"
    browser.run(
        "(() => { const y = document.getElementById('y'); y.value = '1'; y.dispatchEvent(new Event('change')); })()"
    )
    assert browser.run(named) == "response matrix: largest se against response matrix: num informative, 3 runs"
    assert browser.run(points) == ["vae-1-0", "vae-1-1", "vae-4-0"]
    heights = browser.run(
        "[...document.querySelectorAll('#scatter path:has(> title)')].map((p) => p.getBoundingClientRect().y)"
    )
    assert heights[1] < heights[2] < heights[0]  # 0.128, 0.058 and 0.028, upwards
    assert browser.run("document.getElementById('lacking').textContent") == "1 of 4 runs lack one of these scores."
    assert browser.problems == []


def test_markup_in_names_is_text(browser: Chromium, tmp_path: Path) -> None:
    for name in ("</script><img src=x onerror=window.alarmed=1>", "other"):
        written(tmp_path / name.replace("/", "|"), {name: matrix_result()})
    browser.open(page.write(tmp_path, None)[0], width=1280)
    assert browser.problems == []
    assert browser.run("window.alarmed") is None
    assert "<img src=x onerror=window.alarmed=1>" in browser.run("document.body.innerText")
    browser.run("document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=window.alarmed=1>')")
    assert browser.run("new Promise((done) => setTimeout(() => done(window.alarmed ?? 'quiet'), 200))") == "quiet"


def test_scores_equal_those_of_the_file(browser: Chromium, run_report: Path) -> None:
    browser.open(run_report, width=1280)
    stored = results.read(run_report.parent / "result.h5").assays["response_matrix"]
    cells = browser.run(
        "[...document.querySelectorAll('.scores')[0].tBodies[0].rows].map((row) => row.cells[1].textContent)"
    )
    assert [float(cell) for cell in cells] == [stored.scores["num_informative"], stored.scores["largest_se"]]
