"""Write the scores of runs to docs/results.csv, and docs/results.md from it.

    python scripts/results_table.py outputs/assay/fifteen/*/result.h5

A row is a data set and a model; a given run replaces the existing row. All values come from the HDF5 files.
"""

import argparse
import csv
import math
from pathlib import Path

from omegaconf import OmegaConf

from lrx.storage import results

DOCS = Path(__file__).parents[1] / "docs"
COLUMNS = {  # score: its assay and name in a result file, and how many digits are shown
    "cross-entropy (nats)": ("reconstruction", "cross_entropy", 1),
    "KL (nats)": ("reconstruction", "kl", 2),
    "informative": ("response_matrix", "num_informative", 0),
    "CDS": ("conditioned_response", "cds", 3),
    "completeness": ("conditioned_response", "completeness", 3),
    "DCI": ("metrics", "dci_disentanglement", 3),
    "MIG": ("metrics", "mig", 3),
}
KEY = ("data set", "model")
SETTINGS = ("steps", "batch size", "latents", "rate", "seed", "source", "lrx")

HEAD = """# Results of fifteen minutes on one core

Six objectives on two data sets, and two with quantised latents on one, each trained from one seed with
`experiment=fifteen_minutes`: the network conv64, twelve latents, {steps} steps of {batch} images, Adam at {rate}.
Values have their standard errors, where known: the error of measuring this one model, without the variation between
training seeds. The commands:

```
lrx train -m experiment=fifteen_minutes name=fifteen dataset=dsprites,3dshapes \\
    model=vae,betavae,factorvae,btcvae,sae,vlae
lrx train -m experiment=fifteen_minutes name=fifteen dataset=3dshapes model=qlae,fsq
lrx assay -m 'ckpt=glob(outputs/train/fifteen/*)' assay=paper \\
    'assay.only=[reconstruction,response_matrix,conditioned_response,metrics]' name=fifteen
python scripts/results_table.py outputs/assay/fifteen/*/result.h5
```

The images are those of lrx ({source}). Cross-entropy is summed over the pixels of an image and taken at the mean of its
code; its minimum is the entropy of the pixels: {entropy}. A latent is informative above a
response of 0.5 to itself, a quantised one above half the step that it is set by. CDS is the Causal Disentanglement
Score of conditioned responses; DCI the disentanglement of boosted trees; DCI and MIG use the fast preset. A CDS near 1
with few informative latents is a collapsed model, not a good one. Of 3dshapes, `qlae` and `fsq` were measured by 0.2.0,
the others by 0.1.0, whose DCI gave a tie of latents to the first.
"""


def row_of(path: Path) -> dict[str, str]:
    """Return the row of a result file, as text."""
    stored = results.read(path)
    provenance = stored.provenance
    config = OmegaConf.create(str(provenance["checkpoint_config"]))
    row = {
        "data set": str(provenance["dataset"]),
        "model": str(config.model._target_).rpartition(".")[0].rpartition(".")[2],
        "steps": str(provenance["trained_steps"]),
        "batch size": str(config.trainer.batch_size),
        "latents": str(config.latent_dim),
        "rate": str(config.trainer.lr),
        "seed": str(config.seed),
        "source": str(provenance["dataset_source"]),
        "lrx": str(provenance["lrx"]),
    }
    for column, (assay, score, digits) in COLUMNS.items():
        scores = stored.assays[assay].scores
        value, error = scores.get(score, math.nan), scores.get(f"{score}_se", math.nan)
        row[column] = "" if math.isnan(value) else f"{value:.{digits}f}"
        if row[column] and math.isfinite(error) and digits:
            row[column] += f" ± {error:.{digits}f}"
    row["entropy"] = f"{stored.assays['reconstruction'].scores['entropy']:.0f}"
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description="Make docs/results.md from result files.")
    parser.add_argument("files", nargs="*", type=Path)
    table = DOCS / "results.csv"
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    if table.exists():
        with table.open(encoding="utf-8", newline="") as file:
            rows = {tuple(row[key] for key in KEY): row for row in csv.DictReader(file)}
    for path in parser.parse_args().files:
        row = row_of(path)
        rows[tuple(row[key] for key in KEY)] = row
    if not rows:
        parser.error("no result files, and no docs/results.csv yet")
    ordered = [rows[key] for key in sorted(rows)]
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*KEY, *COLUMNS, *SETTINGS, "entropy"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(ordered)

    first = ordered[0]
    entropy = ", ".join(
        f"{value} on {name}" for name, value in {row["data set"]: row["entropy"] for row in ordered}.items()
    )
    page = HEAD.format(
        steps=first["steps"], batch=first["batch size"], rate=first["rate"], source=first["source"], entropy=entropy
    )
    for name in sorted({row["data set"] for row in ordered}):
        page += f"\n## {name}\n\n| model | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}\n"
        for row in ordered:
            if row["data set"] == name:
                page += f"| {row['model']} | {' | '.join(row[column] or '-' for column in COLUMNS)} |\n"
    (DOCS / "results.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
