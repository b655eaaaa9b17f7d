#!/usr/bin/env bash
# submitit 1.5.4: two steps (srun) of one Slurm job are given the same MASTER_PORT.
#
# TorchDistributedEnvironment seeds its choice of a port with the job's id and takes the first host of the job, not of
# the step. Two trainings started side by side in one allocation, each by its own srun, therefore get one address
# whatever their step ids are, and meet each other's processes. MASTER_PORT from the outside is respected.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "submitit==1.5.4"
cat > "$folder/port.py" <<'PY'
import submitit

environment = submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
print(environment.master_addr, environment.master_port)
PY
# what Slurm sets in a task of a step
export SLURM_JOB_ID=4242 SLURM_JOB_NODELIST=localhost SLURM_JOB_NUM_NODES=1 SLURM_NTASKS=2 SLURM_NODEID=0 SLURM_LOCALID=0
export SLURM_PROCID=0 SLURM_JOBID=4242 SUBMITIT_EXECUTOR=slurm
cat > "$folder/scontrol" <<'SH'
#!/bin/sh
echo localhost  # the node of the job, as "scontrol show hostnames localhost" prints it
SH
chmod +x "$folder/scontrol"; export PATH="$folder:$PATH"
first=$(SLURM_STEP_ID=0 SLURM_STEPID=0 "$folder/venv/bin/python" "$folder/port.py")
second=$(SLURM_STEP_ID=1 SLURM_STEPID=1 "$folder/venv/bin/python" "$folder/port.py")
other=$(SLURM_JOB_ID=4243 SLURM_JOBID=4243 SLURM_STEP_ID=0 SLURM_STEPID=0 "$folder/venv/bin/python" "$folder/port.py")
given=$(MASTER_PORT=23456 "$folder/venv/bin/python" "$folder/port.py")
echo "step 0: $first; step 1: $second; another job: $other; with MASTER_PORT: $given"
[ "$first" = "$second" ] || { echo "changed: steps have ports of their own"; exit 1; }
[ "$first" != "$other" ] || { echo "changed: jobs share a port"; exit 1; }
[ "${given##* }" = 23456 ] || { echo "changed: MASTER_PORT is not respected"; exit 1; }
