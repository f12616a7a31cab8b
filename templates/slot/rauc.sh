#!/bin/sh
# Slots by RAUC, for the agent: in agent.yaml, under update:
#   slot: { backend: script, command: [/usr/lib/flotilla/slot/rauc.sh] }
# RAUC decides what boots; the bundle is a .fw, and its task upgrade.<bootname> (upgrade.A, upgrade.B) writes the slot.
# Take rauc-mark-good.service out of the images: it would call a slot good that nobody has judged.
set -eu

# What was written where, and which slot is on probation: RAUC has no place for it. On the data partition.
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

# Sets: slots (the bootnames), active, booted; and target, RAUC's name of the slot $1.
look() {
  eval "$(rauc status --output-format=shell)"
  slots='' active='' target='' booted=${RAUC_SYSTEM_BOOTED_BOOTNAME:-}
  wanted=${1:-}
  set -- ${RAUC_SYSTEM_SLOTS:-}
  for number in ${RAUC_SLOTS:-}; do
    eval "bootname=\${RAUC_SLOT_BOOTNAME_$number:-}"
    if [ -n "$bootname" ]; then
      slots="$slots${slots:+,}$bootname"
      [ "$1" != "${RAUC_BOOT_PRIMARY:-}" ] || active=$bootname
      [ "$bootname" != "$wanted" ] || target=$1
    fi
    shift
  done
  if [ -n "$wanted" ] && [ -z "$target" ]; then
    echo "RAUC knows no slot with the bootname $wanted: $slots" >&2
    exit 1
  fi
}

case "${1:-}" in
state)
  look
  pending=0
  [ "$(get pending)" != "$active" ] || pending=1
  printf 'slots=%s\nactive=%s\nrunning=%s\npending=%s\n' "$slots" "$active" "$booted" "$pending"
  for slot in $(echo "$slots" | tr , ' '); do
    for name in uuid version product; do printf '%s=%s\n' "$slot.$name" "$(get "$slot.$name")"; done
  done
  ;;
try)
  look "$2"
  put "$2.uuid=$FLOTILLA_UUID" "$2.version=$FLOTILLA_VERSION" "$2.product=$FLOTILLA_PRODUCT" "pending=$2"
  rauc status mark-active "$target" >&2
  ;;
mark-good)
  look "$2"
  rauc status mark-good "$target" >&2
  [ -z "$(get pending)" ] || put pending=
  ;;
activate)
  look "$2"
  [ "$active" = "$2" ] || rauc status mark-active "$target" >&2
  [ -z "$(get pending)" ] || put pending=
  ;;
*)
  echo "usage: $0 state | try SLOT | mark-good SLOT | activate SLOT" >&2
  exit 2
  ;;
esac
