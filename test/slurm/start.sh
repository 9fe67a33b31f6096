#!/usr/bin/env bash
# A Slurm of several nodes on this one machine, without systemd: start.sh FOLDER [NODES]. As root, on Debian with
# slurm-wlm and munge. FOLDER gets the configuration, state and logs; stop.sh FOLDER ends it. Prints the value that
# SLURM_CONF must have.
set -euo pipefail
mkdir -p "$1"
folder=$(realpath "$1")
nodes=${2:-2}
host=$(hostname -s)
# Below the ports that Linux gives to outgoing connections; others may listen here too, so each is tried first.
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
for ((ports = 0; ports == 0; )); do
  ports=$((20000 + RANDOM % 12000))
  for ((port = ports; port <= ports + nodes; port++)); do if taken "$port"; then ports=0 && break; fi; done
done

mkdir -p "$folder"/{ctl,d,log,munge}
chmod 755 "$folder"
# Nodes of four cores each, whatever the machine has: the tests' workers share it anyway.
cat >"$folder/slurm.conf" <<CONF
ClusterName=meanfield
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$ports
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CryptoType=crypto/munge
StateSaveLocation=$folder/ctl
SlurmdSpoolDir=$folder/d/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2
JobRequeue=1
KillWait=5
MinJobAge=600
NodeName=node[1-$nodes] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((ports + 1))-$((ports + nodes))] CPUs=4 RealMemory=4000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF

chmod 700 "$folder/munge"
head -c 1024 /dev/urandom >"$folder/munge/key"
chmod 400 "$folder/munge/key"
munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
  --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"

export SLURM_CONF="$folder/slurm.conf"
slurmctld -c
for ((node = 1; node <= nodes; node++)); do slurmd -N "node$node"; done
# Its daemons need seconds where other tests take the cores.
for ((i = 0; i < 600; i++)); do
  idle=$(sinfo --noheader --format=%D --states=idle 2>/dev/null || true)
  [ "${idle// /}" = "$nodes" ] && break
  sleep 0.1
done
[ "${idle// /}" = "$nodes" ] || {
  sinfo >&2 || true
  tail -n 20 "$folder"/log/* >&2
  exit 1
}
echo "$SLURM_CONF"
