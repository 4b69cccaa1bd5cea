#!/usr/bin/env bash
# Build the image of the discovery agent: build.sh IMAGE [BASE]
#   IMAGE  its name, for example 123456789012.dkr.ecr.eu-central-1.amazonaws.com/discovery:1
#   BASE   a Debian 13 with its package sources (default: debian:trixie-slim)
# Packages have the versions and hashes of requirements.txt. Needs Docker, and uv (`make setup` installs it).
set -euo pipefail
image=${1:?usage: build.sh IMAGE [BASE]}
base=${2:-debian:trixie-slim}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
PATH=$root/.venv/bin:$PATH

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$here/Dockerfile" "$context"
mkdir "$context/packages" "$context/swarmctl"

# Those entries of the lock file that packages.txt names, with their hashes.
awk 'NR == FNR { wanted[$1]; next }
     /^[a-z0-9]/ { split($1, part, "=="); sub(/\[.*/, "", part[1]); keep = part[1] in wanted }
     keep' "$here/packages.txt" "$root/requirements.txt" >"$context/requirements.txt"

# Debian 13 has Python 3.13.
install=(uv pip install --quiet --no-deps --python-version 3.13 --python-platform "$(uname -m)-manylinux_2_28")
"${install[@]}" --only-binary :all: --require-hashes --target "$context/packages" -r "$context/requirements.txt"
"${install[@]}" --target "$context/swarmctl" "$root"
# botocore describes every service of AWS: 100 MB of which the agent uses five.
find "$context/packages/botocore/data" -mindepth 1 -maxdepth 1 -type d \
  ! -name ec2 ! -name ecr ! -name elbv2 ! -name servicediscovery ! -name sts -exec rm -rf {} +

docker build --quiet --build-arg "BASE=$base" --tag "$image" "$context"
