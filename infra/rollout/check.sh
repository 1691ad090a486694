#!/usr/bin/env bash
# One of the checks before anything is deployed: style, tests, security or package.
set -euo pipefail

# Each step of a build is a container of its own, and make is not in it.
bin=.venv/bin
scan=.venv-scan/bin

case "$1" in
  style)
    $bin/ruff format --check .
    $bin/ruff check .
    $bin/mypy
    ;;
  tests)
    $bin/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered --cov-fail-under=80
    ;;
  security)
    $scan/bandit -q -r -c pyproject.toml main.py functions infra shared
    $scan/pip-audit --no-deps --disable-pip --requirement requirements.txt
    infra/rollout/find_secrets.sh $scan
    .venv-checkov/bin/checkov --config-file terraform/checkov.yaml
    ;;
  package)
    $bin/python -m infra.package
    $scan/cyclonedx-py requirements requirements.txt --output-format JSON --output-file build/sbom.json
    ;;
  *)
    echo "check.sh style|tests|security|package" >&2
    exit 2
    ;;
esac
