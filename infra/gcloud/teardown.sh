#!/usr/bin/env bash
# Takes away what deploy.sh made. What people entered and what was paid for (documents, facts, secrets,
# buckets) stays unless DATA=1. Asks for the project's name as CONFIRM; DRY_RUN=1 only prints.
#
#   PROJECT=my-project CONFIRM=my-project infra/gcloud/teardown.sh
set -euo pipefail
# shellcheck source=infra/gcloud/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [[ -z $DRY_RUN && ${CONFIRM:-} != "$PROJECT" ]]; then
  echo "This removes the leaderboard from $PROJECT. Say CONFIRM=$PROJECT to go on." >&2
  exit 2
fi
G=(--project="$PROJECT" --quiet)

# What is not there any more is no reason to stop.
remove() {
  run "$@" || echo "# not removed, perhaps gone already"
}

say "Schedules first, so that nothing new begins"
while IFS='|' read -r name _; do
  remove gcloud scheduler jobs delete "$name" --location="$REGION" "${G[@]}"
done < <(table schedules)

say "Subscriptions, topics, queues"
while IFS='|' read -r name _; do
  remove gcloud pubsub subscriptions delete "$name" "${G[@]}"
done < <(table subscriptions)
while read -r topic; do
  remove gcloud pubsub topics delete "$topic" "${G[@]}"
done < <(table value topics)
while IFS='|' read -r name _; do
  remove gcloud tasks queues delete "$name" --location="$REGION" "${G[@]}"
done < <(table queues)

say "Functions and their images"
while IFS='|' read -r name _; do
  remove gcloud functions delete "$name" --gen2 --region="$REGION" "${G[@]}"
done < <(table functions)
remove gcloud artifacts repositories delete "$(table value image_repository)" --location="$REGION" "${G[@]}"

say "Roles and accounts"
while IFS='|' read -r account role; do
  remove gcloud projects remove-iam-policy-binding "$PROJECT" --member="$(member "$account")" \
    --role="$role" --all --format=none "${G[@]}"
done < <(table roles project; table roles database)
for role in roles/logging.logWriter roles/storage.objectViewer; do
  remove gcloud projects remove-iam-policy-binding "$PROJECT" --member="$(member lb-build)" \
    --role="$role" --all --format=none "${G[@]}"
done
while IFS='|' read -r account _; do
  remove gcloud iam service-accounts delete "$(email "$account")" "${G[@]}"
done < <(table accounts)

if [[ ${DATA:-} == 1 ]]; then
  say "Data, for good: Firestore keeps backups until they run out, BigQuery a week of time travel"
  remove gcloud firestore databases update --database='(default)' --no-delete-protection "${G[@]}"
  remove gcloud firestore databases delete --database='(default)' "${G[@]}"
  remove bq rm --project_id="$PROJECT" -r -f --dataset "$PROJECT:$(table value dataset)"
  while IFS='|' read -r _ id _; do
    remove gcloud secrets delete "$id" "${G[@]}"
  done < <(table secrets)
  remove gcloud storage rm --recursive "gs://$SOURCES" "${G[@]}"
  remove gcloud storage rm --recursive "gs://$BLOBS" "${G[@]}"
else
  say "Documents, facts, secrets and buckets are left. DATA=1 removes them too."
fi
