#!/bin/sh
# The boot script's part of update.slot { backend: file }: `boot-file.sh FILE` prints the slot to boot. It runs early, in an
# initramfs for example, before anything of a slot is mounted. A slot on probation (upgrade_available=1) is counted, and
# past bootlimit (3 where the file has none) the other one boots again, for good.
set -eu

file=$1
first=${FLOTILLA_FIRST_SLOT:-a}
second=${FLOTILLA_SECOND_SLOT:-b}

get() { sed -n "s/^$1=//p" "$file" 2>/dev/null | tail -n 1; }

number() {
  case "$1" in '' | *[!0-9]*) echo "$2" ;; *) echo "$1" ;; esac
}

# NAME=VALUE …: all of it in one new file, or nothing.
put() {
  {
    while IFS= read -r line; do
      for new in "$@"; do [ "${line%%=*}" != "${new%%=*}" ] || continue 2; done
      printf '%s\n' "$line"
    done <"$file"
    printf '%s\n' "$@"
  } >"$file.boot"
  sync "$file.boot"
  mv -f "$file.boot" "$file"
  sync "$(dirname "$file")"
}

active=$(get active_slot)
[ "$active" = "$second" ] || active=$first
if [ "$(get upgrade_available)" = 1 ]; then
  count=$(($(number "$(get bootcount)" 0) + 1))
  if [ "$count" -le "$(number "$(get bootlimit)" 3)" ]; then
    put "bootcount=$count"
  else
    [ "$active" = "$second" ] && active=$first || active=$second
    put "active_slot=$active" upgrade_available=0 bootcount=0
  fi
fi
echo "$active"
