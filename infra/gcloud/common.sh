# What deploy.sh and teardown.sh share. Sourced, not run.
# shellcheck shell=bash

: "${PROJECT:?Set PROJECT to the id of a project with billing enabled.}"
REGION=${REGION:-us-central1}
BIGQUERY_LOCATION=${BIGQUERY_LOCATION:-US}
FIRESTORE_LOCATION=${FIRESTORE_LOCATION:-$REGION}
DRY_RUN=${DRY_RUN:-}

# Files that are handed out, and the source of functions.
BLOBS=$PROJECT-leaderboard-blobs
SOURCES=$PROJECT-leaderboard-sources

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)

# Rows of the table of what is deployed.
table() { "${PYTHON:-python3}" "$HERE/table.py" "$@"; }

say() { printf '\n# %s\n' "$*"; }

show() {
  local mark=$1
  shift
  printf '%s' "$mark"
  printf ' %q' "$@"
  printf '\n'
}

# Print a command and carry it out; with DRY_RUN only print it. Nothing is read from the rows that the
# caller's loop is reading.
run() {
  show '+' "$@"
  [[ -n $DRY_RUN ]] || "$@" </dev/null
}

# The same for what fails harmlessly where it was done before.
run_once() {
  local said
  show '+' "$@"
  [[ -n $DRY_RUN ]] && return
  if ! said=$("$@" </dev/null 2>&1); then
    grep -qiE 'already exists|ALREADY_EXISTS' <<<"$said" && return
    printf '%s\n' "$said" >&2
    return 1
  fi
}

# Whether something is there. With DRY_RUN nothing is, so that everything is shown; with DRY_RUN=update
# everything is.
there() {
  if [[ -n $DRY_RUN ]]; then
    show '?' "$@"
    [[ $DRY_RUN == update ]]
    return
  fi
  "$@" </dev/null >/dev/null 2>&1
}

member() { printf 'serviceAccount:%s@%s.iam.gserviceaccount.com' "$1" "$PROJECT"; }
email() { printf '%s@%s.iam.gserviceaccount.com' "$1" "$PROJECT"; }

# Where a function is called: the address is known before the function is.
url() { printf 'https://%s-%s.cloudfunctions.net/%s' "$REGION" "$PROJECT" "$1"; }
