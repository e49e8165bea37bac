#!/usr/bin/env bash
# Debian packages that the tests need on a bare Debian 12; nothing else installs any.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q --yes --no-install-recommends ca-certificates chromium git make python3 python3-venv
