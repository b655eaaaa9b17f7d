#!/usr/bin/env bash
# Cancel the jobs of up.sh's Slurm and end the daemons that it started, known by their pid files; wait until they end.
dir=${SLURM_TEST_DIR:?}
scancel --user="$(id -un)" 2>/dev/null
for _ in $(seq 50); do
  [ -z "$(squeue --noheader 2>/dev/null)" ] && break
  sleep 0.2
done
pids=$(cat "$dir"/slurmd.pid "$dir"/slurmctld.pid /run/munge/slurm-test.pid 2>/dev/null)
for pid in $pids; do
  kill "$pid" 2>/dev/null
done
for pid in $pids; do
  for _ in $(seq 50); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.2
  done
done
exit 0
