#!/bin/sh
# Every file of the image is as it was built.
set -eu
cd "$(dirname "$0")/../../.."
sha256sum --quiet --strict -c usr/share/manifest.sha256
