#!/usr/bin/env bash
# Ends the Slurm that start.sh FOLDER began.
folder=$(realpath "$1")
export SLURM_CONF="$folder/slurm.conf"
scancel --user=root 2>/dev/null
# A step whose controller is gone would wait for it.
for ((i = 0; i < 100; i++)); do
  [ "$(squeue --noheader 2>/dev/null)" ] || break
  sleep 0.1
done
pids=$(cat "$folder"/node*.pid "$folder/slurmctld.pid" "$folder/munge/pid" 2>/dev/null)
for pid in $pids; do kill "$pid" 2>/dev/null; done
for ((i = 0; i < 100; i++)); do
  alive=''
  for pid in $pids; do kill -0 "$pid" 2>/dev/null && alive=1; done
  [ "$alive" ] || break
  sleep 0.1
done
exit 0
