#!/usr/bin/env bash
# Bring up Slurm on loopback, without systemd: a controller, one node of four cores, the partition `normal`, and
# `urgent`, whose jobs preempt those of the other. Called by run.sh, which sets SLURM_TEST_DIR and SLURM_CONF.
set -euo pipefail
dir=${SLURM_TEST_DIR:?} conf=${SLURM_CONF:?}
host=$(hostname -s)
mkdir -p "$dir"/{state,spool,bin}
ln -sf "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/sacct.sh" "$dir/bin/sacct"

# munge signs the messages between the daemons. It wants its folders and its key to be its own.
mkdir -p /run/munge /var/log/munge /var/lib/munge
[ -s /etc/munge/munge.key ] || dd if=/dev/urandom of=/etc/munge/munge.key bs=1 count=1024 status=none
chown -R munge:munge /etc/munge /run/munge /var/log/munge /var/lib/munge
chmod 0700 /etc/munge /var/log/munge
chmod 0711 /var/lib/munge
chmod 0755 /run/munge
chmod 0400 /etc/munge/munge.key
if ! munge --no-input >/dev/null 2>&1; then
  setpriv --reuid=munge --regid=munge --clear-groups munged --pid-file=/run/munge/slurm-test.pid  # a folder that munge may write to
fi

# No accounting, no control groups: nothing outside of $dir. The node claims four cores, so that jobs run beside each
# other wherever the tests run. Times are short; a requeued job still waits two minutes, which the tests cut short.
# Arrays are small, so that a sweep of ten jobs is several; Slurm's default is SLURM_TEST_ARRAY_SIZE=1001.
cat > "$conf" <<EOF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MaxArraySize=${SLURM_TEST_ARRAY_SIZE:-4}
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
SlurmdParameters=config_overrides
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
JobRequeue=1
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=30
InactiveLimit=0
MinJobAge=3600
KillWait=5
OverTimeLimit=0
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 Boards=1 SocketsPerBoard=1 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=4000
PartitionName=normal Nodes=$host Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=urgent Nodes=$host MaxTime=INFINITE State=UP PriorityTier=10
EOF
# The plugin of cgroups is loaded in any case. Slurm 23.02 and newer can turn it off; v1 creates nothing while the
# plugins above do not use it.
if dpkg --compare-versions "$(slurmd -V | cut -d' ' -f2)" ge 23.02; then
  echo "CgroupPlugin=disabled"
else
  printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n'
fi > "$dir/cgroup.conf"

slurmctld -c
slurmd -c
for _ in $(seq 100); do
  [ "$(sinfo --noheader --partition normal --format %T 2>/dev/null)" = idle ] && exit 0
  sleep 0.2
done
echo "Slurm did not come up; the ends of its logs:" >&2
tail -n 20 "$dir"/*.log >&2
exit 1
