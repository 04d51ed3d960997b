#!/bin/sh
# In the image's build: what spadam needs, by the hashes of requirements.lock.
#
#   install.sh cuda            torch and CUDA's libraries, all of them by their hashes
#   install.sh cpu INDEX       torch and torchvision of the same releases from INDEX, without CUDA
#
# PyTorch's CPU wheels are other files than those of the lock: nothing here knows their hashes, so INDEX is trusted.
set -eu
set -f # the options below are split into words, and are no patterns
kind=$1
options="--quiet --compile --no-deps"

case "$kind" in
    cuda)
        # shellcheck disable=SC2086
        pip install $options --require-hashes --find-links /wheels --requirement requirements.lock
        ;;
    cpu)
        # An entry is a line with a name, and lines below that begin with a blank.
        awk '/^[a-z]/ { left_out = /^(torch|torchvision|triton|cuda-[a-z]+|nvidia-[a-z0-9-]+)==/ } !left_out' \
            requirements.lock > without.lock
        # shellcheck disable=SC2046
        set -- "$2" $(sed -n 's/^\(torch\(vision\)\{0,1\}==[^ ]*\).*/\1/p' requirements.lock)
        # shellcheck disable=SC2086
        pip install $options --require-hashes --find-links /wheels --requirement without.lock
        # shellcheck disable=SC2086
        pip install $options --index-url "$@"
        ;;
    *)
        echo "TORCH must be cuda or cpu, and is $kind" >&2
        exit 2
        ;;
esac
