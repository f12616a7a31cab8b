#!/bin/sh
# Starts the agent: launch NODE FLAGS… FILE run …, where FILE is the agent as it was installed. In its place runs what came
# over the link and has proven itself, or what is on trial: started at most three times, each counted on the disk before
# it is, and ended when it has not proven itself in time. Whatever is not whole, or was made for another installed agent
# than this one, is passed over: the installed one always starts. Written by flotilla-agent install.
installed='@AGENT@'
programs='@PROGRAMS@'
base='@BASE@'
seconds='@TRIAL_SECONDS@'
name=flotilla-agent.js

usable() {
  [ -f "$1/$name" ] && [ -f "$1/base" ] || return 1
  read -r over <"$1/base"
  [ "$over" = "$base" ] || return 1
  command -v sha256sum >/dev/null 2>&1 || return 0
  (cd "$1" && sha256sum -c sha256) >/dev/null 2>&1
}

# One byte a start. What can't be counted is not started: a full disk must not make a loop.
count_start() {
  starts=
  [ -f "$1/starts" ] || return 1
  read -r starts <"$1/starts"
  [ "${#starts}" -lt 3 ] || return 1
  printf . >>"$1/starts" 2>/dev/null || return 1
  sync "$1/starts" 2>/dev/null || sync
}

place_of() {
  (cd -P "$programs/$1" 2>/dev/null && pwd)
}

place=
trial=$(place_of trial)
if [ -n "$trial" ] && [ ! -e "$trial/failed" ] && usable "$trial" && count_start "$trial"; then
  place=$trial
else
  trial=
  current=$(place_of current)
  if [ -n "$current" ] && usable "$current"; then place=$current; fi
fi

FLOTILLA_AGENT_PROGRAMS=$programs
FLOTILLA_AGENT_BASE=$base
FLOTILLA_AGENT_BUNDLE=${place##*/}
export FLOTILLA_AGENT_PROGRAMS FLOTILLA_AGENT_BASE FLOTILLA_AGENT_BUNDLE
if [ -n "$place" ]; then
  for word; do
    shift
    [ "$word" = "$installed" ] && word=$place/$name
    set -- "$@" "$word"
  done
fi
[ -n "$trial" ] || exec "$@"

on_trial() {
  [ "$(place_of trial)" = "$trial" ]
}

"$@" &
child=$!
stopped=
trap 'stopped=1; kill -TERM "$child" 2>/dev/null' TERM INT
(
  trap - TERM INT
  while [ "$seconds" -gt 0 ]; do
    sleep 1
    seconds=$((seconds - 1))
    on_trial && kill -0 "$child" 2>/dev/null || exit 0
  done
  echo 'trial-hung: it neither proved itself nor gave up in time' >"$trial/failed"
  sync "$trial/failed" 2>/dev/null || sync
  kill -KILL "$child"
) >/dev/null 2>&1 &
guard=$!
# A signal to this script ends a wait, and is passed on.
while :; do
  stopped=
  wait "$child"
  code=$?
  [ -z "$stopped" ] && break
done
kill "$guard" 2>/dev/null
on_trial && echo "$code" >>"$trial/ends"
exit "$code"
