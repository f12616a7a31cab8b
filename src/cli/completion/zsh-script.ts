import type { CommandRow, TopicRow } from './command-table.ts';
import { posixTable } from './posix-script.ts';

/** zsh quotes what it inserts, and takes quotes off what it asks about. */
export function zshScript(rows: readonly CommandRow[], topics: readonly TopicRow[]): string {
  return `#compdef flotilla
# Completion of flotilla for zsh: source <(flotilla completion zsh), after compinit; or save it as _flotilla in your fpath
${posixTable(rows, topics)}
_flotilla() {
  local kind flags target_flag target candidate cur="\${(Q)PREFIX}"
  local -a candidates open
  _flotilla_place "\${(@Q)words[2,CURRENT-1]}"
  if [[ $cur == -* && -n $flags ]]; then
    candidates=(\${\${=flags}%%=*})
  else
    case $kind in
    words:*) candidates=(\${=kind#words:}) ;;
    options:*) candidates=(\${(s:,:)kind#options:}) ;;
    file) _files && return ;;
    folder) _files -/ && return ;;
    selector) candidates=(\${(f)"$($words[1] select complete \${target_flag:+$target_flag} \${target:+$target} -- "$cur" 2>/dev/null)"}) ;;
    group) candidates=(\${\${(f)"$($words[1] select complete \${target_flag:+$target_flag} \${target:+$target} -- "N@$cur" 2>/dev/null)"}#N@}) ;;
    esac
  fi
  # No blank behind what goes on.
  open=(\${(M)candidates:#*[:@\\ ,]})
  candidates=(\${candidates:#*[:@\\ ,]})
  compadd -S '' -a open
  compadd -a candidates
}

if [[ $funcstack[1] == _flotilla ]]; then _flotilla "$@"; else compdef _flotilla flotilla; fi
`;
}
