# usage: compare DIR <archive.tar.gz.base64
# Prints the difference between what was deployed last and what would be. Exit: 0 none, 1 some.
set -eu
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
base64 -d | tar -xz -C "$fresh"
# The paths in the output are to read like those of the stack.
mkdir -p "$fresh/.none"
old=$1
[ -d "$old" ] || old=$fresh/.none
diff -Nru -x .none "$old" "$fresh"
