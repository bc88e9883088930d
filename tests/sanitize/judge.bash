# For check and daemon, whose under() leaves its reports in $reports.

# judge BUG LOG ARGS…: whether `under ARGS…` makes reports that say of the
# planted bug what planted/BUG.sed says, in a line with its kind and the
# functions that were looked for. A bug between two threads shows only where
# they came close, which they do not in each run: there are three.
judge() {
    local expected found what functions run runs=3
    expected=$(sed -n 's/^# Found as: //p' "tests/sanitize/planted/$1.sed")
    for ((run = 1; run <= runs; run++)); do
        under "${@:3}" >"$2" 2>&1 || true
        found=$(cat "$reports"/* 2>/dev/null | tr -s ' \n' ' ' |
            grep -o -E "${expected:?}") && break
        ((run < runs)) || {
            cat "$2" "$reports"/* 2>/dev/null || true
            echo "planted $1: NOT found"
            return 1
        }
    done
    what=$(grep -m 1 -oE '^[a-z-]+( race)?' <<<"$found")
    functions=$(grep -oE '[a-z_]+\\>' <<<"$expected" | tr -d '\n')
    functions=${functions%'\>'}
    echo "planted $1: $what in ${functions//'\>'/, }"
}
