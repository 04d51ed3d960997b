#!/bin/sh
# What the image runs: `spadam` with the words that are given; `ray …` and `python …` as they are.
#
# With SPADAM_JOIN=host:port the agent's container becomes a node of that Ray cluster first, one that trains nothing:
# results come through the object store of the agent's own host.
set -eu

# wandb reads its key from the environment only. It is set here, where `docker inspect` does not see it.
key=${WANDB_API_KEY_FILE:-/run/secrets/wandb_api_key}
if [ -z "${WANDB_API_KEY:-}" ] && [ -s "$key" ]; then
    WANDB_API_KEY=$(cat "$key")
    export WANDB_API_KEY
fi

case "${1:-}" in
    ray | python) exec "$@" ;;
esac
if [ -n "${SPADAM_JOIN:-}" ] && [ "${1:-} ${2:-}" = "sweep run" ]; then
    ray start --address="$SPADAM_JOIN" --num-cpus=0 --num-gpus=0 --object-store-memory="$RAY_STORE_BYTES" > /tmp/join.log 2>&1 || {
        cat /tmp/join.log >&2
        exit 1
    }
    export RAY_ADDRESS="$SPADAM_JOIN"
fi
exec spadam "$@"
