# Makes a script of a page: prints its headings, then prints and runs each command of its `sh` blocks.
function quoted(text) { gsub(/'/, "'\\''", text); return "'" text "'" }
/^## / { print "printf '\\n\\033[1m%s\\033[0m\\n' " quoted(substr($0, 4)); next }
/^```sh$/ { inside = 1; next }
/^```$/ { inside = 0; next }
inside { print "printf '$ %s\\n' " quoted($0); print }
