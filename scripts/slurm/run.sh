#!/usr/bin/env bash
# Run a command beside a real Slurm of one node on this machine, and take Slurm down again however the command ends:
#
#   scripts/slurm/run.sh sinfo
#
# Installs the Debian packages slurm-wlm and munge where they are missing. Needs root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if [ "$(id -u)" -ne 0 ]; then
  echo "scripts/slurm/run.sh starts Slurm's daemons and must run as root, as in: sudo make test-slurm" >&2
  exit 2
fi
export PATH=$PATH:/usr/sbin
for program in slurmctld slurmd sbatch srun munged; do
  command -v "$program" >/dev/null && continue
  echo "no $program: installing slurm-wlm and munge"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
  break
done

SLURM_TEST_DIR=$(mktemp -d)
export SLURM_TEST_DIR
export SLURM_CONF=$SLURM_TEST_DIR/slurm.conf   # every command of Slurm reads this; the machine's own is left alone
trap '"$here/down.sh"; rm -rf "$SLURM_TEST_DIR"' EXIT
"$here/up.sh"
PATH=$SLURM_TEST_DIR/bin:$PATH "$@"
