#!/usr/bin/env bash
# What the checks need, once for all of them: the steps of a build share the working folder.
set -euo pipefail
apt-get update -qq
apt-get install -qq -y --no-install-recommends git make >/dev/null
make .venv/dev.stamp .venv-scan/stamp .venv-checkov/stamp
