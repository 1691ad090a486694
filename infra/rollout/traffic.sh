#!/usr/bin/env bash
# The API's traffic, step by step. Each step ends in a state that may stay; one that finds the new revision
# bad puts all traffic back to the old one and fails.
#
#   hold    pin traffic to the revision that serves now
#   try     give the newest revision an address of its own, and test it there
#   share   SHARE percent of the traffic to it; test again and again for WATCH_SECONDS
#   finish  all traffic to it
#   back    all traffic to the revision before; also for people in a hurry
set -euo pipefail
: "${PROJECT:?}" "${REGION:?}"
SHARE=${SHARE:-10}
WATCH_SECONDS=${WATCH_SECONDS:-300}
SERVICE=api
R=(--region="$REGION" --project="$PROJECT" --quiet)
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

describe() { gcloud run services describe "$SERVICE" "${R[@]}" --format="$1"; }

newest() { describe 'value(status.latestReadyRevisionName)'; }

# The revision with the tag that hold gives; else the one with the most traffic.
serving() {
  describe json | python3 -c '
import json, sys
traffic = json.load(sys.stdin)["status"]["traffic"]
stable = [t for t in traffic if t.get("tag") == "stable"]
print((stable or sorted(traffic, key=lambda t: t.get("percent", 0)))[-1]["revisionName"])'
}

move() { gcloud run services update-traffic "$SERVICE" "${R[@]}" --to-revisions="$1"; }

back() {
  echo "Back to $1" >&2
  move "$1=100"
}

# However a step ends: unless all went well, the old revision has everything again.
on_exit() { (($1 == 0)) || back "$old"; }

smoke() { python3 "$HERE/smoke.py" --url="$1" --pause="${SMOKE_PAUSE:-2}"; }

case "$1" in
  hold)
    # An unfinished rollout leaves the tag on the old revision; whoever serves most is right.
    gcloud run services update-traffic "$SERVICE" "${R[@]}" --clear-tags
    old=$(serving)
    gcloud run services update-traffic "$SERVICE" "${R[@]}" --to-revisions="$old=100" \
      --set-tags="stable=$old"
    ;;
  try)
    new=$(newest)
    [[ $new != "$(serving)" ]] || { echo "There is no revision newer than $new" >&2; exit 1; }
    gcloud run services update-traffic "$SERVICE" "${R[@]}" --update-tags="candidate=$new"
    url=$(describe json | python3 -c '
import json, sys
print(next(t["url"] for t in json.load(sys.stdin)["status"]["traffic"] if t.get("tag") == "candidate"))')
    # It has no traffic yet, so there is nothing to put back.
    smoke "$url"
    ;;
  share)
    new=$(newest) old=$(serving)
    trap 'on_exit $?' EXIT
    move "$new=$SHARE,$old=$((100 - SHARE))"
    url=$(describe 'value(status.url)')
    end=$((SECONDS + WATCH_SECONDS))
    while ((SECONDS < end)); do
      smoke "$url"
      sleep "${WATCH_PAUSE:-15}"
    done
    failed=$(gcloud logging read "resource.type=\"cloud_run_revision\" AND resource.labels.revision_name=\"$new\" AND jsonPayload.event=\"request_failed\"" \
      --project="$PROJECT" --freshness="$((WATCH_SECONDS / 60 + 1))m" --limit=5 --format='value(insertId)' | wc -l)
    if ((failed > 0)); then
      echo "$new failed to answer $failed requests or more; the log has them by request_failed" >&2
      false
    fi
    ;;
  finish)
    new=$(newest) old=$(serving)
    trap 'on_exit $?' EXIT
    move "$new=100"
    smoke "$(describe 'value(status.url)')"
    ;;
  back)
    back "$(serving)"
    ;;
  *)
    echo "traffic.sh hold|try|share|finish|back" >&2
    exit 2
    ;;
esac
