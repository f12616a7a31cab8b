import type { CommandRow, TopicRow } from './command-table.ts';

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}

/** fish quotes what it inserts, and offers what begins with the token itself. */
export function fishScript(rows: readonly CommandRow[], topics: readonly TopicRow[]): string {
  const list = (words: readonly string[]): string => words.map(quote).join(' ');
  const commands = rows.map(
    ({ path, flags, args }) => `        case ${quote(path)}
            set -g __flotilla_flags ${list(flags)}
            set -g __flotilla_args ${list(args)}`,
  );
  const words = topics.map(
    ([topic, below]) => `        case ${quote(topic)}
            set -g __flotilla_subwords ${list(below)}`,
  );
  return `# Completion of flotilla for fish: flotilla completion fish | source
function __flotilla_command
    switch "$argv"
${commands.join('\n')}
        case '*'
            return 1
    end
    return 0
end

function __flotilla_topic
    switch "$argv"
${words.join('\n')}
        case '*'
            return 1
    end
    return 0
end

function __flotilla_ask
    set -l text $argv[1]
    command $argv[2] select complete $argv[3..-1] -- "$text" 2>/dev/null
end

function __flotilla_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -l cur (commandline -ct | string unescape 2>/dev/null; or commandline -ct | string trim --left --chars '\\'"')
    set -g __flotilla_flags
    set -g __flotilla_args
    set -l path
    set -l pending
    set -l last
    set -l target
    set -l position 1
    for word in $words[2..-1]
        if test -n "$pending"
            contains -- $last --context --fleet-dir --fleet; and set target $last $word
            set pending
            continue
        end
        if test "$word" = --
            return
        else if string match -q -- '-*' $word
            for flag in $__flotilla_flags
                string match -q -- "$word=*" $flag; and set pending (string replace -- "$word=" '' $flag); and set last $word
            end
        else if __flotilla_command $path $word; or __flotilla_topic $path $word
            set path $path $word
        else
            set position (math $position + 1)
        end
    end
    set -l kind $pending
    if test -z "$kind"
        if test (count $__flotilla_flags) -gt 0
            if string match -q -- '-*' "$cur"
                string replace -r '=.*' '' -- $__flotilla_flags
                return
            end
            set kind $__flotilla_args[$position]
        else if test $position -eq 1; and __flotilla_topic $path
            printf '%s\\n' $__flotilla_subwords
            return
        end
    end
    switch "$kind"
        case 'options:*'
            string split , -- (string replace options: '' -- $kind)
        case file
            __fish_complete_path "$cur"
        case folder
            __fish_complete_directories "$cur" ''
        case selector
            __flotilla_ask "$cur" $program $target
        case group
            __flotilla_ask "N@$cur" $program $target | string replace -r '^N@' ''
    end
end

complete -c flotilla -f -a '(__flotilla_complete)'
`;
}
