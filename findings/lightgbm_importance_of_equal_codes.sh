#!/usr/bin/env bash
# LightGBM 4.7.0 and scikit-learn 1.9.1: importances of the same codes say different things about where a factor is.
#
# Two latents are copies of the factor, a third is noise; by their defaults both models predict every point. LightGBM's
# default importance (number of splits) ranks the noise first. Its gain gives all to the first copy, as the lower column
# wins among equal splits, so that DCI calls a factor that is held twice complete. scikit-learn draws among equal
# splits.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "lightgbm==4.7.0" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from lightgbm import LGBMClassifier
from sklearn.ensemble import GradientBoostingClassifier

generator = np.random.default_rng(0)
factor = generator.integers(0, 4, 2000)
codes = np.column_stack([factor, factor, generator.standard_normal(2000)])
shares = {}
for name, model in {
    "split": LGBMClassifier(n_jobs=1, verbose=-1),
    "gain": LGBMClassifier(importance_type="gain", n_jobs=1, verbose=-1),
    "scikit-learn": GradientBoostingClassifier(random_state=0),
}.items():
    model.fit(codes, factor)
    shares[name] = model.feature_importances_ / model.feature_importances_.sum()
    accuracy = (model.predict(codes) == factor).mean()
    print(f"{name}: copy, copy, noise {shares[name].round(3).tolist()}, accuracy {accuracy}")
assert shares["split"].argmax() == 2, "changed: the number of splits ranks a copy first"
assert shares["gain"][0] > 0.99, "changed: gain is shared"
first, second, noise = shares["scikit-learn"]
assert min(first, second) > 0.2 and noise < 0.01, "changed: scikit-learn does not share"
PY
