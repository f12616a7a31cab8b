#!/bin/sh
# Keeps the agent running where the init does not: starts it again whenever it ends, after 2 s, 4 s, … 256 s, and from
# 2 s again once it has run for ten minutes. A TERM ends both.
child=
nap=
stop() {
  trap - TERM INT
  [ -n "$nap" ] && kill "$nap" 2>/dev/null
  [ -n "$child" ] && kill -TERM "$child" 2>/dev/null && wait "$child"
  exit 0
}
trap stop TERM INT
delay=2
while :; do
  read -r up _ </proc/uptime
  begun=${up%.*}
  "$@" &
  child=$!
  wait "$child"
  child=
  read -r up _ </proc/uptime
  [ $((${up%.*} - begun)) -ge 600 ] && delay=2
  sleep "$delay" &
  nap=$!
  wait "$nap"
  nap=
  [ "$delay" -lt 256 ] && delay=$((delay * 2))
done
