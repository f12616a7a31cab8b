#!/bin/sh /etc/rc.common
# Written by flotilla-agent install; the next one writes it again. Needs neither network nor clock to start.
USE_PROCD=1
START=95
STOP=10

start_service() {
  [ -e '@CERTIFICATE@' ] || return 0
  mkdir -p /var/run/flotilla && chown '@USER@:@GROUP@' /var/run/flotilla && chmod 0750 /var/run/flotilla
  procd_open_instance
  procd_set_param command '@LAUNCH@' '@NODE@' @NODE_FLAGS@ '@AGENT@' run --config '@CONFIG@' --log-file '@LOG@'
  procd_set_param user '@USER@'
  procd_set_param group '@GROUP@'
  procd_set_param env @ENVIRONMENT@
  procd_set_param respawn 3600 5 0
  procd_set_param no_new_privs 1
  procd_close_instance
}
