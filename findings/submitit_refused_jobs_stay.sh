#!/usr/bin/env bash
# submitit 1.5.4: the files of an array that Slurm refuses stay, and submitit asks for arrays larger than Slurm takes.
#
# Each job is pickled before sbatch is called, and nothing removes the pickles and the script when sbatch fails. Nor is
# MaxArraySize (1,001 unless the cluster sets it) looked at: all jobs of a batch become one array, whatever their number.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "submitit==1.5.4"
mkdir "$folder/bin"
cat > "$folder/bin/sbatch" <<'SH'
#!/bin/sh
grep -- --array "$1" >&2
echo "sbatch: error: Batch job submission failed: Invalid job array specification" >&2  # as Slurm does past MaxArraySize
exit 1
SH
printf '#!/bin/sh\n' > "$folder/bin/srun"  # submitit only asks whether it is there
chmod +x "$folder/bin/sbatch" "$folder/bin/srun"; export PATH="$folder/bin:$PATH"
cat > "$folder/submit.py" <<'PY'
import sys

import submitit

executor = submitit.SlurmExecutor(folder=sys.argv[1])
try:
    executor.map_array(abs, range(1100))
except submitit.core.utils.FailedJobError as error:
    print(error)
PY
said=$("$folder/venv/bin/python" "$folder/submit.py" "$folder/jobs" 2>&1)
left=$(find "$folder/jobs" -name '*.pkl' | wc -l)
scripts=$(find "$folder/jobs" -name '*.sh' | wc -l)
echo "$said" | sort -u
echo "left behind: $left pickles, $scripts script"
grep -q -- "--array=0-1099" <<<"$said" || { echo "changed: the array is split"; exit 1; }
[ "$left" = 1100 ] || { echo "changed: pickles of refused jobs are removed"; exit 1; }
