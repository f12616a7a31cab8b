import type { CommandRow, TopicRow } from './command-table.ts';
import { posixTable } from './posix-script.ts';

/**
 * For bash 4 and newer. The line is split here and not by bash, whose words break at the @ and : of selectors; what is
 * offered is then cut at the place where readline begins to replace.
 */
export function bashScript(rows: readonly CommandRow[], topics: readonly TopicRow[]): string {
  return `# Completion of flotilla for bash: source <(flotilla completion bash)
${posixTable(rows, topics)}
# The words of a line without their quotes: all but the last in words, the last in cur; quote, if one is open.
_flotilla_split() {
  local line=$1 at character word='' has='' 
  words=() quote='' raw=''
  for ((at = 0; at < \${#line}; at++)); do
    character=\${line:at:1}
    raw+=$character
    if [[ -n $quote ]]; then
      if [[ $character == "$quote" ]]; then
        quote=''
      else
        [[ $quote == '"' && $character == \\\\ ]] && at=$((at + 1)) character=\${line:at:1}
        word+=$character
      fi
      continue
    fi
    case $character in
    \\' | \\") quote=$character has=1 raw='' ;;
    \\\\) at=$((at + 1)) has=1 && word+=\${line:at:1} raw+=\${line:at:1} ;;
    [[:space:]])
      [[ -n $has ]] && words+=("$word")
      word='' has='' raw=''
      ;;
    *) word+=$character has=1 ;;
    esac
  done
  cur=$word
}

_flotilla() {
  local words cur quote raw kind flags target_flag target candidate typed
  local -a candidates=()
  _flotilla_split "\${COMP_LINE:0:COMP_POINT}"
  COMPREPLY=()
  _flotilla_place "\${words[@]:1}"
  if [[ $cur == -* && -n $flags ]]; then
    for candidate in $flags; do candidates+=("\${candidate%%=*}"); done
  else
    case $kind in
    words:*) candidates=(\${kind#words:}) ;;
    options:*) IFS=, read -r -a candidates <<<"\${kind#options:}" ;;
    file) compopt -o default && return ;;
    folder) compopt -o dirnames && return ;;
    selector) mapfile -t candidates < <("\${words[0]}" select complete \${target_flag:+"$target_flag" "$target"} -- "$cur" 2>/dev/null) ;;
    group)
      mapfile -t candidates < <("\${words[0]}" select complete \${target_flag:+"$target_flag" "$target"} -- "N@$cur" 2>/dev/null)
      candidates=("\${candidates[@]#N@}")
      ;;
    esac
  fi
  # Without a quote readline replaces what is behind the last of its break characters.
  typed=''
  [[ -z $quote && $raw == *["$COMP_WORDBREAKS"]* ]] && typed=\${cur%"\${raw##*["$COMP_WORDBREAKS"]}"}
  for candidate in "\${candidates[@]}"; do
    [[ $candidate == "$cur"* ]] || continue
    [[ $candidate == *[:@\\ ,] ]] && compopt -o nospace 2>/dev/null
    candidate=\${candidate#"$typed"}
    [[ -z $quote && $candidate == *[!A-Za-z0-9_.,:@/+=%-]* ]] && printf -v candidate '%q' "$candidate"
    COMPREPLY+=("$candidate")
  done
}

complete -F _flotilla flotilla
`;
}
