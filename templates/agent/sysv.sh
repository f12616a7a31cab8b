#!/bin/sh
### BEGIN INIT INFO
# Provides:          flotilla-agent
# Required-Start:    $local_fs
# Required-Stop:     $local_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Flotilla agent
# Description:       Links this device with its fleet. Needs neither network nor clock to start.
### END INIT INFO
# Written by flotilla-agent install; the next one writes it again.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
pidfile=/run/flotilla-agent.pid
umask 077

running() {
  [ -r "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null
}

start() {
  running && return 0
  if [ ! -e '@CERTIFICATE@' ]; then
    echo 'flotilla-agent: no certificate yet, not started'
    return 0
  fi
  mkdir -p /run/flotilla && chown '@USER@:@GROUP@' /run/flotilla && chmod 0750 /run/flotilla
  export @ENVIRONMENT@
  start-stop-daemon -S -b -m -p "$pidfile" -c '@USER@' -x /bin/sh -- \
    '@RESPAWN@' '@LAUNCH@' '@NODE@' @NODE_FLAGS@ '@AGENT@' run --config '@CONFIG@' --log-file '@LOG@'
}

stop() {
  running || return 0
  pid=$(cat "$pidfile")
  kill -TERM "$pid"
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    kill -0 "$pid" 2>/dev/null || break
    sleep 1
  done
  rm -f "$pidfile"
}

case "$1" in
start) start ;;
stop) stop ;;
restart | reload | force-reload) stop && start ;;
status) running && echo running || { echo stopped; exit 3; } ;;
*) echo "usage: $0 start|stop|restart|status" >&2; exit 2 ;;
esac
