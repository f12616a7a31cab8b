#!/bin/sh
# The registers that the configuration names can be read from the self test's telegram.
set -eu
root=$(dirname "$0")/../../..
. "$root/etc/meter.conf"
for code in $REGISTERS; do
  value=$("$root/usr/lib/meter/read-register" "$code" < "$root/usr/share/meter/self-test.telegram")
  echo "$code $value"
done
