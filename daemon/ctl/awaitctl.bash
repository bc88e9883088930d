# Completion of awaitctl for bash.

# The names of what `awaitctl $1` lists, from the daemon that is meant.
_awaitctl_names() {
    local socket=() i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --socket | -s) socket=(--socket "${COMP_WORDS[i + 1]}") ;;
        esac
    done
    timeout 1 "${COMP_WORDS[0]}" "${socket[@]}" "$1" 2>/dev/null |
        awk 'NR > 1 { print $1 }'
}

_awaitctl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local commands='status devices queues scripts reload restart stop top log'
    commands+=' dump send metrics'
    local options='--socket --json --follow --openmetrics --to --help --version'
    COMPREPLY=()
    case $before in
    --socket | -s) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    dump | send)
        mapfile -t COMPREPLY < <(compgen -W "$(_awaitctl_names devices)" -- "$word")
        ;;
    reload | restart | stop)
        mapfile -t COMPREPLY < <(compgen -W "$(_awaitctl_names scripts)" -- "$word")
        ;;
    *)
        case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word") ;;
        esac
        ;;
    esac
}

complete -F _awaitctl awaitctl
