#!/bin/sh
# Grains of the product: which release of it runs, and how many registers it reads.
set -eu
root=$(dirname "$0")/../../..
. "$root/etc/os-release"
. "$root/etc/meter.conf"
set -- $REGISTERS
printf '{"product":"%s","release":"%s","registers":%d}\n' "$ID" "$VERSION_ID" $#
