# bash completion for spanallocctl.  Names of spans, pids and units come from the collector that the options name.

_spanallocctl_ask() {
        local i options=()

        for ((i = 1; i < ${#COMP_WORDS[@]} - 1; i++)); do
                case ${COMP_WORDS[i]} in
                --system | --user) options+=("${COMP_WORDS[i]}") ;;
                --socket)
                        if [[ ${COMP_WORDS[i + 1]} == = ]]; then
                                options+=(--socket "${COMP_WORDS[i + 2]}")
                        else
                                options+=(--socket "${COMP_WORDS[i + 1]}")
                        fi
                        ;;
                esac
        done
        "${COMP_WORDS[0]}" "${options[@]}" --no-pager --no-legend --full "$@" 2>/dev/null </dev/null
}

_spanallocctl_spans() {
        _spanallocctl_ask spans --columns=span | sed 's/ *$//' | sort -u
}

# What --filter of ps looks at, but for executables.
_spanallocctl_processes() {
        { _spanallocctl_ask ps --columns=comm; _spanallocctl_ask ps --columns=unit; } | sed 's/ *$//' | grep -v '^-*$' | sort -u
}

_spanallocctl_services() {
        systemctl list-unit-files --type=service --no-legend --no-pager 2>/dev/null | awk '{ print $1 }'
}

# The columns of a verb, as its help lists them.
_spanallocctl_columns() {
        "${COMP_WORDS[0]}" help "$1" 2>/dev/null | sed -n '/^Columns:/,$s/^  \([a-z_0-9]*\) .*/\1/p'
}

# Each line of $1 that begins with what is typed, quoted where need be.
_spanallocctl_lines() {
        local line

        while IFS= read -r line; do
                if [[ -n $line && $line == "$cur"* ]]; then
                        printf -v line %q "$line"
                        COMPREPLY+=("$line")
                fi
        done <<<"$1"
}

_spanallocctl() {
        local cur=${COMP_WORDS[COMP_CWORD]} option= verb= i
        local verbs='status ps spans tree show top follow run enable disable timing reset doctor demo version help'
        local everywhere='--system --user --socket --json --no-pager --no-legend --full --raw --color --help --version'
        local -A own=(
                [ps]='--pid --unit --filter --alive --sort --limit --columns'
                [spans]='--pid --unit --filter --by --since --sort --limit --columns'
                [tree]='--pid --unit --filter --by --since --min-percent --sort --limit --columns'
                [show]='--pid --unit --since'
                [top]='--pid --unit --filter --by --sort --limit --batch --once --count --delay'
                [follow]='--pid --unit --filter --limit --columns'
                [run]='--output --preload --on-full --ring-kib --linger'
                [enable]='--now --preload --ring-kib'
                [disable]='--now'
                [timing]='--pid --unit'
                [doctor]='--pid'
                [demo]='--batch --once --count --delay'
        )

        COMPREPLY=()
        for ((i = 1; i < COMP_CWORD; i++)); do
                case ${COMP_WORDS[i]} in
                --)
                        break
                        ;;
                -*) ;;
                *)
                        if [[ -z $verb && " $verbs " == *" ${COMP_WORDS[i]} "* ]]; then
                                verb=${COMP_WORDS[i]}
                        fi
                        ;;
                esac
        done

        # run: what follows is a command of its own.
        if [[ $verb == run ]]; then
                for ((i = 1; i < COMP_CWORD; i++)); do
                        if [[ ${COMP_WORDS[i]} == -- ]]; then
                                if declare -F _command_offset >/dev/null; then
                                        _command_offset $((i + 1))
                                else
                                        mapfile -t COMPREPLY < <(compgen -c -f -- "$cur")
                                fi
                                return
                        fi
                done
        fi

        # --option=value comes as three words.
        if [[ $cur == = ]]; then
                cur=
                option=${COMP_WORDS[COMP_CWORD - 1]}
        elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
                option=${COMP_WORDS[COMP_CWORD - 2]}
        else
                option=${COMP_WORDS[COMP_CWORD - 1]}
        fi

        case $option in
        --json)
                [[ ${COMP_WORDS[COMP_CWORD]} == = || ${COMP_WORDS[COMP_CWORD - 1]} == = ]] && {
                        mapfile -t COMPREPLY < <(compgen -W 'off short pretty' -- "$cur")
                        return
                }
                ;;
        --color)
                mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$cur")
                return
                ;;
        --on-full)
                mapfile -t COMPREPLY < <(compgen -W 'refuse wait' -- "$cur")
                return
                ;;
        --socket | --preload | --output | -o)
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                return
                ;;
        --pid | -p)
                mapfile -t COMPREPLY < <(compgen -W "$(_spanallocctl_ask ps --columns=pid)" -- "$cur")
                return
                ;;
        --unit | -u)
                mapfile -t COMPREPLY < <(compgen -W "$(_spanallocctl_ask ps --columns=unit | grep -v '^-$')" -- "$cur")
                return
                ;;
        --filter | -f)
                if [[ $verb == ps ]]; then
                        _spanallocctl_lines "$(_spanallocctl_processes)"
                else
                        _spanallocctl_lines "$(_spanallocctl_spans)"
                fi
                return
                ;;
        --columns | -c)
                mapfile -t COMPREPLY < <(compgen -W "all $(_spanallocctl_columns "${verb:-status}")" -- "$cur")
                return
                ;;
        --by)
                mapfile -t COMPREPLY < <(compgen -W 'process name' -- "$cur")
                return
                ;;
        --sort | -s)
                [[ $verb == top ]] && verb=spans
                mapfile -t COMPREPLY < <(compgen -W "$(_spanallocctl_columns "$verb" | sed 'p;s/^/-/')" -- "$cur")
                return
                ;;
        --limit | --count | -n | --delay | -d | --since | --min-percent | --ring-kib | --linger)
                return
                ;;
        esac

        if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$everywhere ${own[${verb:-status}]}" -- "$cur")
        elif [[ -z $verb ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur")
        elif [[ $verb == show ]]; then
                _spanallocctl_lines "$(_spanallocctl_spans)"
        elif [[ $verb == enable || $verb == disable ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(_spanallocctl_services)" -- "$cur")
        elif [[ $verb == timing ]]; then
                mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur")
        elif [[ $verb == help ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur")
        elif [[ $verb == run ]]; then
                mapfile -t COMPREPLY < <(compgen -c -- "$cur")
        fi
}

complete -F _spanallocctl spanallocctl
