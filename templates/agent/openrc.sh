#!/sbin/openrc-run
# Written by flotilla-agent install; the next one writes it again. Needs neither network nor clock to start.
name="Flotilla agent"
supervisor=supervise-daemon
command="@LAUNCH@"
command_args="@NODE@ @NODE_FLAGS@ @AGENT@ run --config @CONFIG@ --log-file @LOG@"
command_user="@USER@:@GROUP@"
umask=077
respawn_delay=5
respawn_max=0
pidfile=/run/flotilla-agent.pid
export @ENVIRONMENT@

depend() {
  need localmount
}

start_pre() {
  if [ ! -e "@CERTIFICATE@" ]; then
    ewarn "no certificate yet, not started"
    return 1
  fi
  checkpath --directory --owner "@USER@:@GROUP@" --mode 0750 /run/flotilla
}
