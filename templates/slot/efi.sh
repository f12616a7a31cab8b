#!/bin/sh
# Slots by the boot manager of UEFI, for the agent: in agent.yaml, under update:
#   slot: { backend: script, command: [/usr/lib/flotilla/slot/efi.sh] }
# One boot entry a slot, labelled slot-a and slot-b. The first of them in BootOrder boots; BootNext boots once before it.
# A slot that does not come up ends with a reset (the watchdog's), and that boots BootOrder.
set -eu

label=${FLOTILLA_SLOT_LABEL:-slot-}
# What was written where: the firmware has no place for it. On the data partition.
note=${FLOTILLA_SLOT_NOTE:-/var/lib/flotilla/slot-note}

get() { sed -n "s/^$1=//p" "$note" 2>/dev/null | head -n 1; }

# NAME=VALUE …: all of it in one new file, or nothing.
put() {
  {
    if [ -e "$note" ]; then
      while IFS= read -r line; do
        for new in "$@"; do [ "${line%%=*}" != "${new%%=*}" ] || continue 2; done
        printf '%s\n' "$line"
      done <"$note"
    fi
    printf '%s\n' "$@"
  } >"$note.new"
  sync "$note.new"
  mv -f "$note.new" "$note"
  sync "$(dirname "$note")"
}

# Sets: entries (lines of number and slot), order, next, current.
look() {
  said=$(efibootmgr)
  entries=$(echo "$said" | sed -n "s/^Boot\([0-9A-Fa-f]\{4\}\)[* ] *$label\([A-Za-z0-9_-]\{1,16\}\).*/\1 \2/p")
  order=$(echo "$said" | sed -n 's/^BootOrder: //p')
  next=$(echo "$said" | sed -n 's/^BootNext: //p')
  current=$(echo "$said" | sed -n 's/^BootCurrent: //p')
}

slot_of() { echo "$entries" | sed -n "s/^$1 //p"; }

number_of() {
  number=$(echo "$entries" | sed -n "s/^\(.*\) $1\$/\1/p")
  [ -n "$number" ] && return 0
  echo "no boot entry is labelled $label$1" >&2
  exit 1
}

first() {
  for one in $(echo "$order" | tr , ' '); do
    if [ -n "$(slot_of "$one")" ]; then
      slot_of "$one"
      return
    fi
  done
}

put_first() {
  [ "$(first)" != "$1" ] || return 0
  rest=
  for one in $(echo "$order" | tr , ' '); do [ "$one" = "$number" ] || rest="$rest,$one"; done
  efibootmgr --quiet --bootorder "$number$rest"
}

case "${1:-}" in
state)
  look
  active=$(slot_of "${next:-none}")
  pending=0
  [ -z "$active" ] || pending=1
  slots=$(echo "$entries" | cut -d ' ' -f 2 | sort)
  printf 'slots=%s\nactive=%s\n' "$(echo "$slots" | tr '\n' ' ')" "${active:-$(first)}"
  printf 'running=%s\npending=%s\n' "$(slot_of "${current:-none}")" "$pending"
  for slot in $slots; do
    for name in uuid version product; do printf '%s=%s\n' "$slot.$name" "$(get "$slot.$name")"; done
  done
  ;;
try)
  look
  number_of "$2"
  put "$2.uuid=$FLOTILLA_UUID" "$2.version=$FLOTILLA_VERSION" "$2.product=$FLOTILLA_PRODUCT"
  efibootmgr --quiet --bootnext "$number"
  ;;
mark-good | activate)
  look
  number_of "$2"
  put_first "$2"
  [ -z "$next" ] || efibootmgr --quiet --delete-bootnext
  ;;
*)
  echo "usage: $0 state | try SLOT | mark-good SLOT | activate SLOT" >&2
  exit 2
  ;;
esac
