#!/usr/bin/env bash
# A sweep on several hosts of a SLURM cluster: a Ray node a host, the agent on the first.
#
#   sbatch slurm.sh sweeps/lr_eps.yaml --per-trial cpus=1,gpus=0.25
#
# The first argument is the sweep's file, the others go to `spadam sweep run`. The same sbatch again goes on. Set what
# stands below to what your partition has; the environment with spadam must be the same on all hosts.
#SBATCH --job-name=spadam
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
set -euo pipefail

spec=$1
shift
out=${SPADAM_OUT:-$PWD/runs}
port=${RAY_PORT:-6379}

# Nobody without the token may join or give work. It lies in a file that only its owner reads, on a disk that all share.
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH=${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token}
if [ ! -s "$RAY_AUTH_TOKEN_PATH" ]; then
    mkdir -p "$(dirname "$RAY_AUTH_TOKEN_PATH")"
    (umask 077 && openssl rand -hex 32 > "$RAY_AUTH_TOKEN_PATH")
fi
export RAY_USAGE_STATS_ENABLED=0

mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${hosts[0]}
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}'):$port

cpus=${SLURM_CPUS_PER_TASK:-1}
gpus=${SLURM_GPUS_ON_NODE:-0}
ray_start=(ray start --block --num-cpus="$cpus" --num-gpus="$gpus")

srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
    "${ray_start[@]}" --head --port="$port" --include-dashboard=false &
until srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" ray status --address="$address" > /dev/null 2>&1; do
    sleep 2
done
if [ "${#hosts[@]}" -gt 1 ]; then
    others=$(IFS=, && echo "${hosts[*]:1}")
    count=$((${#hosts[@]} - 1))
    srun --overlap --nodes="$count" --ntasks="$count" --nodelist="$others" "${ray_start[@]}" --address="$address" &
fi

# SLURM sends SIGTERM two minutes before the end: the agent puts its slots back, and the same job goes on from there.
srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
    spadam sweep run "$spec" --out "$out" --crew ray --ray-address "$address" "$@" &
agent=$!
trap 'kill -TERM "$agent"' TERM INT
code=0
wait "$agent" || code=$?
if kill -0 "$agent" 2> /dev/null; then # a signal has ended the first wait
    code=0
    wait "$agent" || code=$?
fi
exit "$code"
