#!/bin/sh
# flotilla-agent on this device: status, diagnose, install, uninstall. Written by flotilla-agent install.
exec '@NODE@' '@AGENT@' "$@"
