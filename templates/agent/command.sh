#!/bin/sh
# flotilla-agent on this device: status, diagnose, install, uninstall. Written by flotilla-agent install.
# Always the installed program: what came over the link stands where the agent's user may write, and root may run this.
exec '@NODE@' '@AGENT@' "$@"
