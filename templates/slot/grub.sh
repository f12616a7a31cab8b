#!/bin/sh
# Slots by GRUB's environment block, for the agent: in agent.yaml, under update:
#   slot: { backend: script, command: [/usr/lib/flotilla/slot/grub.sh] }
# saved_entry boots; next_entry boots once before it, which grub.cfg takes back as it boots:
#   load_env
#   set default="${saved_entry}"
#   if [ -n "${next_entry}" ]; then set default="${next_entry}"; set next_entry=; save_env next_entry; fi
#   menuentry 'slot a' --id a { … }
#   menuentry 'slot b' --id b { … }
# A slot that does not come up ends with a reset (the watchdog's), and that boots saved_entry. Say to the agent which
# slot booted by boot.slotFile (a file that the boot scripts write, from the kernel's command line for example).
set -eu

env=${FLOTILLA_GRUBENV:-/boot/grub/grubenv}
slots=${FLOTILLA_SLOTS:-a,b}

get() { grub-editenv "$env" list | sed -n "s/^$1=//p" | head -n 1; }

known() {
  case ",$slots," in *",$1,"*) return 0 ;; esac
  echo "no such slot: $1 (there are $slots)" >&2
  exit 1
}

case "${1:-}" in
state)
  saved=$(get saved_entry)
  next=$(get next_entry)
  pending=0
  [ -z "$next" ] || pending=1
  printf 'slots=%s\nactive=%s\npending=%s\n' "$slots" "${next:-${saved:-${slots%%,*}}}" "$pending"
  for slot in $(echo "$slots" | tr , ' '); do
    printf '%s=%s\n' "$slot.uuid" "$(get "${slot}_uuid")" "$slot.version" "$(get "${slot}_version")"
  done
  ;;
try)
  known "$2"
  # The block holds 1 kB: what the product is called stays out of it.
  grub-editenv "$env" set "$2_uuid=$FLOTILLA_UUID" "$2_version=$FLOTILLA_VERSION" "next_entry=$2"
  sync "$env"
  ;;
mark-good | activate)
  known "$2"
  if [ "$(get saved_entry)" != "$2" ] || [ -n "$(get next_entry)" ]; then
    grub-editenv "$env" set "saved_entry=$2" next_entry=
    sync "$env"
  fi
  ;;
*)
  echo "usage: $0 state | try SLOT | mark-good SLOT | activate SLOT" >&2
  exit 2
  ;;
esac
