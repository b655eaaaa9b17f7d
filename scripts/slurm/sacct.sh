#!/usr/bin/env bash
# What sacct would say of jobs (-o JobID,State,NodeList --parsable2 -j ID ...), as far as submitit asks, out of the
# controller's memory: real accounting needs a database server. up.sh puts it in the way of the real one.
ids=()
while [ $# -gt 0 ]; do
  [ "$1" = -j ] && { ids+=("$2"); shift; }
  shift
done
echo "JobID|State|NodeList"
for id in "${ids[@]}"; do
  scontrol --oneliner show job "$id" 2>/dev/null
done | awk '{
  job = array = task = state = nodes = ""
  for (i = 1; i <= NF; i++) {
    split($i, pair, "=")
    if (pair[1] == "JobId") job = pair[2]
    if (pair[1] == "ArrayJobId") array = pair[2]
    if (pair[1] == "ArrayTaskId") task = pair[2]
    if (pair[1] == "JobState") state = pair[2]
    if (pair[1] == "NodeList") nodes = pair[2]
  }
  if (task ~ /[-,%]/) task = "[" task "]"   # tasks that still wait are one line
  print (array == "" ? job : array "_" task) "|" state "|" nodes
}'
