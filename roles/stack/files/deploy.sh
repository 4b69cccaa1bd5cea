# usage: deploy NAME DIR RESOLVE [SECRET…] <archive.tar.gz.base64
# First line: when it began (RFC 3339). Then a line "CHANGED …" for each secret made and each
# service that is another than before; that Swarm was told the same again does not count.
set -eu
name=$1 dir=$2 resolve=$3
shift 3
date -u +%Y-%m-%dT%H:%M:%SZ

# With --resolve-image changed, the docker command line leaves out Placement.Platforms from the second
# deploy on (it learns them from the registry). No task is replaced for that: it is not a change.
services() {
  docker service ls --quiet --filter "label=com.docker.stack.namespace=$name" |
    xargs -r docker service inspect --format '{{.Spec.Name}} {{json .Spec}}' |
    sed 's/"Platforms":\[[^]]*\],\{0,1\}//' | sed 's/,}/}/; s/"Placement":{}//' | sort >"$1"
}

for secret; do
  docker secret inspect "$secret" >/dev/null 2>&1 && continue
  head -c 24 /dev/urandom | base64 | tr -d '\n' | docker secret create "$secret" - >/dev/null
  echo "CHANGED secret $secret"
done

rm -rf "$dir.new"
mkdir -p "$dir.new"
base64 -d | tar -xz --no-same-owner -C "$dir.new"
services "$dir.new/.before"
docker stack deploy --prune --resolve-image "$resolve" --compose-file "$dir.new/docker-compose.yml" "$name"
services "$dir.new/.after"
diff "$dir.new/.before" "$dir.new/.after" | sed -n 's/^[<>] \([^ ]*\) .*/CHANGED service \1/p' | sort -u
rm "$dir.new/.before" "$dir.new/.after"
# Kept only once it was accepted: it is what --diff compares with.
rm -rf "$dir"
mv "$dir.new" "$dir"
