#!/usr/bin/env bash
# hydra-optuna-sweeper 1.3.0 (optuna 2.10.1, hydra-core 1.3.8): a grid search whose last trial fails loses its result.
#
# optuna's GridSampler calls Study.stop after the last point of the grid, which raises a RuntimeError where trials are
# asked for and told, as the sweeper does. The sweeper expects that after a trial that ended well; after one that failed
# the error ends the program, and optimization_results.yaml with the best of the others is not written, whatever
# max_failure_rate allows. When an earlier trial of the grid fails instead, the file is written.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "hydra-core==1.3.8" "hydra-optuna-sweeper==1.3.0" "optuna==2.10.1" \
  "sqlalchemy<2" "setuptools<81"
cd "$folder"
cat >app.py <<'PY'
import hydra
from hydra.core.hydra_config import HydraConfig


@hydra.main(version_base="1.3", config_path=None)
def app(config):
    if HydraConfig.get().job.num == config.failing:
        raise ValueError("this trial diverged")
    return float(config.lr)


app()
PY
search() {
  venv/bin/python app.py -m hydra/sweeper=optuna hydra/sweeper/sampler=grid hydra.sweeper.n_jobs=1 \
    hydra.sweeper.max_failure_rate=1.0 "+lr=choice(1.0,2.0)" "+failing=$1" hydra.sweep.dir="trial-$1-fails" \
    >"$1.log" 2>&1 || true
  tail -n 1 "$1.log"
}
search 0
test -f trial-0-fails/optimization_results.yaml || { echo "changed: the first trial failed, and there is no result"; exit 1; }
echo "first of two trials failed: $(tr '\n' ' ' <trial-0-fails/optimization_results.yaml)"
search 1
grep -q "Study.stop.*is supposed to be invoked inside" 1.log || { echo "changed: no RuntimeError of Study.stop"; exit 1; }
test ! -e trial-1-fails/optimization_results.yaml || { echo "changed: the last trial failed, and there is a result"; exit 1; }
echo "last of two trials failed: RuntimeError, no optimization_results.yaml"
