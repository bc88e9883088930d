# Completion of awaitd for bash.

# NAME=DRIVER, and behind a comma the driver's options. `=` and `:` part words for
# bash: what is completed is the part behind the last of them.
_awaitd_device() {
    local word=$1 given=${COMP_LINE:0:COMP_POINT} driver
    given=${given##* }
    case $given in
    *=*[:,]*)
        test "${given##*,}" != "$given" || return 0
        driver=${given#*=}
        driver=${driver%%[:,]*}
        mapfile -t COMPREPLY < <(compgen -S = -P "${word%"${word##*,}"}" -W "$(
            "${COMP_WORDS[0]}" help devices 2>/dev/null |
                awk -v driver="$driver:" '
                    /^[a-z]/ { own = $1 == driver || $0 == "every driver:" }
                    own && /^  [ *] [a-z]/ { sub(/^  [ *] /, ""); print $1 }'
        )" -- "${word##*,}")
        ;;
    *=*)
        mapfile -t COMPREPLY < <(compgen -S : -W "$(
            "${COMP_WORDS[0]}" help 2>/dev/null |
                awk '/^Drivers:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'
        )" -- "${word#=}")
        ;;
    esac
    compopt -o nospace
}

_awaitd() {
    local word=${COMP_WORDS[COMP_CWORD]}
    local command=${COMP_WORDS[1]} options=
    COMPREPLY=()
    case $command in
    run)
        options='--config --device --script --quiet --watch --stats-json'
        options+=' --fail-on-drop --print-effective --socket --service --help'
        ;;
    check) options='--print-effective --help' ;;
    devices) options='--json --root --help' ;;
    esac
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(
            compgen -W 'run check devices help --version --help' -- "$word")
    elif [[ $command = help ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'run check devices' -- "$word")
    elif [[ ${COMP_LINE:0:COMP_POINT} =~ (\ -d\ ?|\ --device[ =])[^\ ]*$ ]]; then
        _awaitd_device "$word"
    elif [[ $word = -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -F _awaitd awaitd
