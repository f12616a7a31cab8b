import type { CommandRow, TopicRow } from './command-table.ts';

/** `it's` as bash and zsh read it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** The commands, and what stands where the cursor is; the same text for bash and zsh. */
export function posixTable(rows: readonly CommandRow[], topics: readonly TopicRow[]): string {
  const commands = rows.map(
    ({ path, flags, args }) => `  ${quote(path)}) flags=${quote(flags.join(' '))} args=${quote(args.join(' '))} ;;`,
  );
  const words = topics.map(([topic, list]) => `  ${quote(topic)}) subwords=${quote(list.join(' '))} ;;`);
  return `_flotilla_command() {
  case $1 in
${commands.join('\n')}
  *) return 1 ;;
  esac
}

_flotilla_topic() {
  case $1 in
${words.join('\n')}
  *) return 1 ;;
  esac
}

# From the words before the cursor: kind, what may stand there; flags, those of the command; target, whom to ask.
_flotilla_place() {
  [ -n "$ZSH_VERSION" ] && emulate -L ksh
  local word flag path='' pending='' last='' position=0 subwords='' args=''
  kind='' flags='' target_flag='' target=''
  for word in "$@"; do
    if [ -n "$pending" ]; then
      case $last in --context | --fleet-dir | --fleet) target_flag=$last target=$word ;; esac
      pending=''
      continue
    fi
    case $word in
    --) kind=none flags='' && return ;;
    -*)
      for flag in $flags; do
        [ "\${flag%%=*}" = "$word" ] && [ "$flag" != "$word" ] && pending=\${flag#*=} last=$word
      done
      continue
      ;;
    esac
    if _flotilla_command "\${path:+$path }$word" || _flotilla_topic "\${path:+$path }$word"; then
      path="\${path:+$path }$word"
    else
      position=$((position + 1))
    fi
  done
  if [ -n "$pending" ]; then
    kind=$pending flags=''
  elif [ -n "$flags" ]; then
    for word in $args; do
      [ "$position" -eq 0 ] && kind=$word && break
      position=$((position - 1))
    done
    kind=\${kind:-none}
  elif [ "$position" -eq 0 ] && _flotilla_topic "$path"; then
    kind="words:$subwords"
  else
    kind=none
  fi
}
`;
}
