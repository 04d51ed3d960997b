#!/usr/bin/env bash
# A Docker engine for the tests, on a Debian 12 machine where none runs: root, and Debian's packages, are enough.
#
#   engine.sh up      installs it, starts it, and makes the two base images; exits with 3 where that cannot be done
#   engine.sh stop    ends it, if it was started here, and takes its rules out of the packet filter
#
# The base images are made of Debian's packages, so that no registry is asked. They bear the names of the official ones;
# one of that name that was pulled is left as it is. An engine that answers already is used, and is not stopped.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
state=${SPADAM_ENGINE_STATE:-/var/lib/spadam-test-engine}
run=/run/spadam-test-engine
python_image=${PYTHON_IMAGE:-python:3.11-slim-bookworm}
postgres_image=${POSTGRES_IMAGE:-postgres:15-bookworm}

cannot() {
    echo "no Docker engine here: $*" >&2
    exit 3
}

whole() { # whether docker's command line has what the tests use
    docker compose version > /dev/null 2>&1 && docker buildx version > /dev/null 2>&1
}

# Debian 12 has neither BuildKit's client nor compose 2. Debian 13's packages run on its libc, all but runc. They are
# found with a package list of their own, so that the machine's sources stay what they are.
install_engine() {
    if command -v dockerd > /dev/null; then # somebody's own: nothing is put over it
        whole || cannot "one is installed, and lacks compose or buildx"
        return
    fi
    local folder mirror
    folder=$(mktemp -d)
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq 2> "$folder/said" || cannot "apt-get update fails"
    apt-get install -y -qq --no-install-recommends iptables runc tini mmdebstrap > "$folder/said" 2>&1 ||
        cannot "$(tail -n 1 "$folder/said")"
    # shellcheck disable=SC2016 # apt's own variable
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | sort -u | head -n 1)
    [ -n "$mirror" ] || cannot "apt knows no source of Debian 12"
    mkdir -p "$folder"/{lists/partial,cache/archives/partial,packages}
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" > "$folder/sources.list"
    local other=(
        -o "Dir::Etc::SourceList=$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o Dir::State::status=/dev/null
        -o APT::Sandbox::User=root -qq
    )
    apt-get "${other[@]}" update || cannot "Debian 13's packages are out of reach"
    (cd "$folder/packages" &&
        apt-get "${other[@]}" download docker.io docker-cli containerd docker-buildx docker-compose) ||
        cannot "Debian 13's packages are out of reach"
    apt-get install -y -qq --no-install-recommends "$folder"/packages/*.deb > "$folder/said" 2>&1 ||
        cannot "$(tail -n 1 "$folder/said")"
    rm -rf "$folder"
}

ours() { # whether the engine that was started here lives
    local pid
    pid=$(cat $run/dockerd.pid 2> /dev/null) && [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = dockerd ]
}

start_engine() {
    docker info > /dev/null 2>&1 && return
    mkdir -p "$state" $run/stub
    ours || rm -f $run/dockerd.pid
    sysctl -n net.ipv4.ip_forward > $run/ip_forward
    iptables -t nat -S > /dev/null 2>&1 || cannot "the packet filter is closed to us" # and its tables are there to save
    iptables-save > $run/rules
    # The engine knows NVIDIA's devices where it finds this program: then requests for them are granted, and can be
    # looked at. No container reaches a GPU by it.
    printf '#!/bin/sh\n' > $run/stub/nvidia-container-runtime-hook
    chmod +x $run/stub/nvidia-container-runtime-hook
    PATH=$run/stub:$PATH setsid nohup dockerd --data-root "$state/data" --exec-root $run/exec \
        --pidfile $run/dockerd.pid > "$state/log" 2>&1 < /dev/null &
    local pid=$!
    for _ in $(seq 150); do
        docker info > /dev/null 2>&1 && return
        kill -0 $pid 2> /dev/null || break
        sleep 0.2
    done
    stop_engine
    cannot "dockerd does not come up: $(tail -n 1 "$state/log")"
}

stop_engine() {
    ours || return 0
    local pid
    pid=$(cat $run/dockerd.pid)
    kill "$pid"
    for _ in $(seq 300); do
        kill -0 "$pid" 2> /dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2> /dev/null || true
    umount $run/exec/netns/* 2> /dev/null || true
    for bridge in $(ip -brief link | grep -oE '^(docker0|br-[0-9a-f]{12})'); do
        ip link delete "$bridge"
    done
    [ ! -e $run/rules ] || iptables-restore < $run/rules
    [ ! -e $run/ip_forward ] || sysctl -qw "net.ipv4.ip_forward=$(cat $run/ip_forward)"
    rm -f $run/rules $run/ip_forward
}

# An image is made anew when its recipe, or what this machine trusts, has changed.
recipe=$({ cat "$0" "$here"/postgres/* /usr/local/share/ca-certificates/*.crt 2> /dev/null || true; } | sha256sum | cut -c 1-16)

wanting() { # whether image $1 is to be made: it is not there, or it is an old one of ours
    local found
    found=$(docker image inspect --format '{{index .Config.Labels "spadam.recipe"}}' "$1" 2> /dev/null) || return 0
    [ -n "$found" ] && [ "$found" != "$recipe" ]
}

make_python() {
    wanting "$python_image" || return 0
    command -v mmdebstrap > /dev/null || cannot "$python_image is not there, and mmdebstrap, which would make it, neither"
    # Builds in it trust whom this machine trusts, and install into Debian's Python as into the official image's.
    # shellcheck disable=SC2016 # $1 is the hook's own
    mmdebstrap --quiet --variant=minbase --mode=root --include=ca-certificates,python3,python3-venv,python3-pip \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --customize-hook='cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/" || true' \
        --customize-hook='chroot "$1" update-ca-certificates > /dev/null 2>&1' \
        --customize-hook='ln -s /usr/bin/python3 "$1/usr/local/bin/python3"; rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED' \
        --customize-hook='rm -rf "$1"/var/lib/apt/lists/*' \
        bookworm - /etc/apt/sources.list.d/debian.sources 2> "$state/python.log" |
        docker import --change "LABEL spadam.recipe=$recipe" --change 'ENV LANG=C.UTF-8' \
            --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' - "$python_image" > /dev/null ||
        cannot "no base image: $(tail -n 1 "$state/python.log")"
}

make_postgres() {
    wanting "$postgres_image" || return 0
    docker build --quiet --build-arg "BASE=$python_image" --label "spadam.recipe=$recipe" --tag "$postgres_image" \
        "$here/postgres" > /dev/null || cannot "no image of PostgreSQL"
}

case "${1:-}" in
    up)
        if docker info > /dev/null 2>&1; then
            whole || cannot "the one that answers lacks compose or buildx"
        else
            [ "$(id -u)" = 0 ] || cannot "none answers, and only root can start one"
            install_engine
            start_engine
        fi
        mkdir -p "$state" 2> /dev/null || state=$(mktemp -d) # only logs, where it is somebody's engine
        make_python
        make_postgres
        ;;
    stop) stop_engine ;;
    *)
        echo "usage: engine.sh up|stop" >&2
        exit 2
        ;;
esac
