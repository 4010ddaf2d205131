# fish completion for spanallocctl.  Names of spans, pids and units come from the collector that the options name.

function __spanallocctl_ask
    set -l words (commandline -opc)
    set -l options
    for i in (seq 2 (count $words))
        switch $words[$i]
            case --system --user '--socket=*'
                set -a options $words[$i]
            case --socket
                test $i -lt (count $words); and set -a options --socket $words[(math $i + 1)]
        end
    end
    $words[1] $options --no-pager --no-legend --full $argv 2>/dev/null </dev/null
end

function __spanallocctl_spans
    __spanallocctl_ask spans --columns=span | string trim | sort -u
end

function __spanallocctl_pids
    __spanallocctl_ask ps --columns=pid,comm | string trim | string replace -r ' +' \t
end

function __spanallocctl_units
    __spanallocctl_ask ps --columns=unit | string trim | sort -u | string match -v -- -
end

# What --filter of ps looks at, but for executables.
function __spanallocctl_processes
    begin
        __spanallocctl_ask ps --columns=comm
        __spanallocctl_ask ps --columns=unit
    end | string trim | sort -u | string match -v -- -
end

function __spanallocctl_services
    systemctl list-unit-files --type=service --no-legend --no-pager 2>/dev/null | string replace -r ' .*' ''
end

function __spanallocctl_columns
    set -l words (commandline -opc)
    for verb in ps spans tree follow status
        if contains -- $verb $words
            $words[1] help $verb 2>/dev/null | string match -rg '^  ([a-z_0-9]+)  +'
            return
        end
    end
    contains -- top $words; and $words[1] help spans 2>/dev/null | string match -rg '^  ([a-z_0-9]+)  +'
end

set -l verbs status ps spans tree show top follow run enable disable timing reset doctor demo version help
set -l none "not __fish_seen_subcommand_from $verbs"
complete -c spanallocctl -f
complete -c spanallocctl -n $none -a status -d 'Is a collector running, and how is it'
complete -c spanallocctl -n $none -a ps -d 'Processes and their books'
complete -c spanallocctl -n $none -a spans -d 'What each span allocated, by process'
complete -c spanallocctl -n $none -a tree -d 'Spans below the spans that opened them'
complete -c spanallocctl -n $none -a show -d 'One span in full'
complete -c spanallocctl -n $none -a top -d 'What allocates now, live'
complete -c spanallocctl -n $none -a follow -d 'One line per closed span'
complete -c spanallocctl -n $none -a run -d 'Run a command and report'
complete -c spanallocctl -n $none -a enable -d 'Let a service count'
complete -c spanallocctl -n $none -a disable -d 'Undo that'
complete -c spanallocctl -n $none -a timing -d 'Let programs write timestamps, or no longer'
complete -c spanallocctl -n $none -a reset -d 'Begin all sums again from zero'
complete -c spanallocctl -n $none -a doctor -d 'Is everything as it should be'
complete -c spanallocctl -n $none -a demo -d 'Top over an example workload'
complete -c spanallocctl -n $none -a version -d 'The version of this program'
complete -c spanallocctl -n $none -a help -d 'Help on a verb'
complete -c spanallocctl -n '__fish_seen_subcommand_from help' -a "$verbs"
complete -c spanallocctl -n '__fish_seen_subcommand_from show' -a '(__spanallocctl_spans)'
complete -c spanallocctl -n '__fish_seen_subcommand_from timing' -a 'on off'
complete -c spanallocctl -n '__fish_seen_subcommand_from run' -a '(__fish_complete_subcommand)'

complete -c spanallocctl -l system -d 'Ask the collector of the system'
complete -c spanallocctl -l user -d 'Ask the collector of this user'
complete -c spanallocctl -l socket -r -F -d 'Ask the collector behind this query.sock'
complete -c spanallocctl -l json -a 'off short pretty' -d 'Documents for programs'
complete -c spanallocctl -l no-pager -d 'Do not page long output'
complete -c spanallocctl -l no-legend -d 'No headings and hints'
complete -c spanallocctl -s l -l full -d 'Do not shorten names'
complete -c spanallocctl -l raw -d 'Whole numbers of bytes'
complete -c spanallocctl -l color -x -a 'auto always never' -d Colours
complete -c spanallocctl -s h -l help -d 'Show help'
complete -c spanallocctl -l version -d 'Show the version'

set -l rows '__fish_seen_subcommand_from ps spans tree top follow show timing'
complete -c spanallocctl -n '__fish_seen_subcommand_from ps spans tree top follow show timing doctor' -s p -l pid -x -a '(__spanallocctl_pids)' -d 'Only this process'
complete -c spanallocctl -n $rows -s u -l unit -x -a '(__spanallocctl_units)' -d 'Only processes of this unit'
complete -c spanallocctl -n '__fish_seen_subcommand_from spans tree top follow' -s f -l filter -x -a '(__spanallocctl_spans)' -d 'Only spans with this in name or path'
complete -c spanallocctl -n '__fish_seen_subcommand_from ps' -s f -l filter -x -a '(__spanallocctl_processes)' -d 'Only processes with this in name, executable or unit'
complete -c spanallocctl -n '__fish_seen_subcommand_from spans tree top' -l by -x -a 'process name' -d 'A row for each process, or one for each name'
complete -c spanallocctl -n '__fish_seen_subcommand_from ps' -s a -l alive -d 'Only processes that run'
complete -c spanallocctl -n '__fish_seen_subcommand_from spans tree show' -l since -x -a '1m 5m 10m' -d 'Only the last so long'
complete -c spanallocctl -n '__fish_seen_subcommand_from tree' -l min-percent -x -d 'Fold what is below N %'
complete -c spanallocctl -n '__fish_seen_subcommand_from ps spans tree top' -s s -l sort -x -a '(__spanallocctl_columns)' -d 'Sort by this column'
complete -c spanallocctl -n '__fish_seen_subcommand_from ps spans tree top follow' -l limit -x -d 'Print at most N rows'
complete -c spanallocctl -n '__fish_seen_subcommand_from ps spans tree follow' -s c -l columns -x -a 'all (__spanallocctl_columns)' -d 'Show these columns'
set -l screens '__fish_seen_subcommand_from top demo'
complete -c spanallocctl -n $screens -s b -l batch -d 'Plain screens'
complete -c spanallocctl -n $screens -s 1 -l once -d 'One screen'
complete -c spanallocctl -n $screens -s n -l count -x -d 'So many screens'
complete -c spanallocctl -n $screens -s d -l delay -x -d 'Time between screens'
complete -c spanallocctl -n '__fish_seen_subcommand_from run' -s o -l output -r -F -d 'Write the report there'
complete -c spanallocctl -n '__fish_seen_subcommand_from run enable' -l preload -r -F -d 'Count with this library'
complete -c spanallocctl -n '__fish_seen_subcommand_from run' -l on-full -x -a 'refuse wait' -d 'When a ring is full'
complete -c spanallocctl -n '__fish_seen_subcommand_from run enable' -l ring-kib -x -d 'KiB of ring for each thread'
complete -c spanallocctl -n '__fish_seen_subcommand_from run' -l linger -x -d 'Wait for what is left running'
complete -c spanallocctl -n '__fish_seen_subcommand_from enable disable' -l now -d 'Restart the service, if it runs'
complete -c spanallocctl -n '__fish_seen_subcommand_from enable disable' -a '(__spanallocctl_services)'
