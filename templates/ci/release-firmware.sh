#!/bin/sh
# Builds, signs, checks and publishes the firmware of a git tag: v1.2.3 becomes version 1.2.3, in the channel `stable`;
# v1.2.3-rc.1 in `beta`. Run it by hand or from CI; the same tag gives the same bundle.
#
#   sh ci/release-firmware.sh [TAG]      without TAG: the tag that is checked out
#
# From the CI's secret store, never in an argument and never in a log:
#   FIRMWARE_SIGNING_KEY   the private key: the text of firmware.priv
#   FLEET_SSH_KEY          only with FLEET_SSH: a private key that may log in there
# Settings:
#   FIRMWARE_PUBLIC_KEY    the public key that devices have: the text of firmware.pub
#   FLEET_SSH              user@host of the coordinator; without it, this machine has the fleet (FLOTILLA_FLEET_DIR)
#   FLEET_SOCKET           with FLEET_SSH: the coordinator's socket there, such as /srv/harbour/run/api.sock
#   FLEET_SSH_KNOWN_HOSTS  with FLEET_SSH: the line of known_hosts for that host
#   FLEET_SSH_PORT         with FLEET_SSH: 22 by default
#   FIRMWARE_NAME          how the bundle is called; the name of the repository by default
#   FIRMWARE_CONFIG        fwup.conf by default
#   FIRMWARE_OUTPUT        the folder for the bundle; `release` by default
#   FIRMWARE_CHANNEL       instead of stable or beta
#   FLOTILLA               how to call flotilla; `flotilla` by default, `npx --no-install flotilla` works too
set -eu
umask 077

fail() {
    echo "release-firmware: $1" >&2
    exit 1
}
step() {
    echo "== $1" >&2
}

flotilla=${FLOTILLA:-flotilla}
config=${FIRMWARE_CONFIG:-fwup.conf}
output=${FIRMWARE_OUTPUT:-release}

# ---- what is released

tag=${1:-$(git describe --tags --exact-match HEAD 2>/dev/null || true)}
[ -n "$tag" ] || fail "no tag is checked out, and none was given"
commit=$(git rev-parse --verify --quiet "refs/tags/$tag^{commit}") || fail "there is no tag $tag"
[ "$commit" = "$(git rev-parse HEAD)" ] || fail "$tag is not what is checked out: git checkout $tag"
[ -z "$(git status --porcelain --untracked-files=no)" ] || fail "files differ from $tag: commit or stash them"
version=${tag#v}
case $version in
    [0-9]*.[0-9]*.[0-9]*) ;;
    *) fail "$tag names no version: expected v1.2.3 or v1.2.3-rc.1" ;;
esac
case $version in
    *[!0-9A-Za-z.+-]*) fail "$tag names no version: expected v1.2.3 or v1.2.3-rc.1" ;;
    *-*) channel=${FIRMWARE_CHANNEL:-beta} ;;
    *) channel=${FIRMWARE_CHANNEL:-stable} ;;
esac

# ---- keys: files of mode 0600 in a folder of mode 0700 that goes away with this script, however it ends

[ -n "${FIRMWARE_SIGNING_KEY:-}" ] || fail "FIRMWARE_SIGNING_KEY is not set: give it from the secret store"
[ -n "${FIRMWARE_PUBLIC_KEY:-}" ] || fail "FIRMWARE_PUBLIC_KEY is not set"
private=$(mktemp -d)
cleanup() {
    [ ! -S "$private/ssh.ctl" ] || ssh -S "$private/ssh.ctl" -O exit fleet 2>/dev/null || true
    rm -rf "$private"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
# printf is the shell's own: no process has the key among its arguments.
printf '%s' "$FIRMWARE_SIGNING_KEY" >"$private/firmware.priv"
printf '%s' "$FIRMWARE_PUBLIC_KEY" >"$private/firmware.pub"
unset FIRMWARE_SIGNING_KEY # what runs from here on does not inherit it
if [ -n "${FLEET_SSH_KEY:-}" ]; then
    printf '%s\n' "$FLEET_SSH_KEY" >"$private/ssh.key"
    unset FLEET_SSH_KEY
fi

# ---- build, sign, verify

if [ -f ci/build-images.sh ]; then
    step "images of $version"
    sh ci/build-images.sh "$version"
fi

# The date of the commit: whoever builds this tag again gets the same file.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$commit")
export SOURCE_DATE_EPOCH
name=$(basename "$(git rev-parse --show-toplevel)")
bundle=$output/${FIRMWARE_NAME:-$name}-$version.fw
mkdir -p "$output"

step "check $config"
$flotilla firmware lint "$config" --define "VERSION=$version" --define "VCS=$commit"
step "build and sign $bundle"
$flotilla firmware build -f "$config" -o "$bundle" --key "$private/firmware.priv" \
    --define "VERSION=$version" --define "VCS=$commit"
step "verify with the key that devices have"
$flotilla firmware verify "$bundle" --key "$private/firmware.pub"

# ---- publish

if [ -n "${FLEET_SSH:-}" ]; then
    [ -n "${FLEET_SOCKET:-}" ] || fail "FLEET_SOCKET is not set: where is the coordinator's socket on $FLEET_SSH?"
    [ -n "${FLEET_SSH_KNOWN_HOSTS:-}" ] || fail "FLEET_SSH_KNOWN_HOSTS is not set: ssh-keyscan its host once, and compare"
    printf '%s\n' "$FLEET_SSH_KNOWN_HOSTS" >"$private/known_hosts"
    # The coordinator's socket comes here through ssh; the bundle and the answer go through it.
    step "connect to $FLEET_SSH"
    ssh -f -N -M -S "$private/ssh.ctl" -i "$private/ssh.key" -o IdentitiesOnly=yes -o BatchMode=yes \
        -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$private/known_hosts" -o ExitOnForwardFailure=yes \
        -p "${FLEET_SSH_PORT:-22}" -L "$private/api.sock:$FLEET_SOCKET" "$FLEET_SSH" >&2
    FLOTILLA_SOCKET=$private/api.sock
    export FLOTILLA_SOCKET
fi
step "publish in $channel"
$flotilla release publish "$bundle" --channel "$channel"
$flotilla release list
