#!/usr/bin/env bash
# Everything in a project by plain gcloud, as the alternative to terraform/. May be repeated: what is
# there is brought up to date. Prints each command before it is carried out.
#
#   PROJECT=my-project infra/gcloud/deploy.sh
#
# DRY_RUN=1 only prints what a first run would do, DRY_RUN=update what a repeat would.
#
# Settings: REGION, BIGQUERY_LOCATION, FIRESTORE_LOCATION, PUBLIC=0 to close the API,
# BUDGET_DAILY_USD, BUDGET_MONTHLY_USD, OTLP_ENDPOINT, GITHUB_APP_ID with GITHUB_APP_INSTALLATION,
# GITHUB_OAUTH_CLIENT_ID.
# Alerts, dashboard, billing alert, load balancer and build triggers are Terraform's alone.
set -euo pipefail
# shellcheck source=infra/gcloud/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

DATASET=$(table value dataset)
IMAGES=$(table value image_repository)
RUNTIME=$(table value runtime)
TASKS=$(table value callers.task.account)
EVENTS=$(table value callers.event.account)
SCHEDULES=$(table value callers.schedule.account)
rows_of_queues=$(table queues)
declare -A SECRET_IDS
while IFS='|' read -r name id _; do SECRET_IDS[$name]=$id; done < <(table secrets)
G=(--project="$PROJECT" --quiet)

say "Services"
mapfile -t services < <(table value services)
run gcloud services enable "${services[@]}" "${G[@]}"

say "Accounts"
while IFS='|' read -r account title; do
  there gcloud iam service-accounts describe "$(email "$account")" "${G[@]}" ||
    run gcloud iam service-accounts create "$account" --display-name="$title" "${G[@]}"
done < <(table accounts)

say "Documents"
there gcloud firestore databases describe --database='(default)' "${G[@]}" ||
  run gcloud firestore databases create --database='(default)' --location="$FIRESTORE_LOCATION" \
    --type=firestore-native --enable-pitr --delete-protection "${G[@]}"
while IFS='|' read -r collection first second; do
  run_once gcloud firestore indexes composite create --database='(default)' \
    --collection-group="$collection" --query-scope=collection \
    --field-config="$first" --field-config="$second" --async "${G[@]}"
done < <(table indexes)
while read -r collection; do
  # The body of a document is never asked for by value.
  run gcloud firestore indexes fields update body --database='(default)' \
    --collection-group="$collection" --disable-indexes --async "${G[@]}"
done < <(table value collections)
if [[ -n $DRY_RUN || -z $(gcloud firestore backups schedules list --database='(default)' --format='value(name)' "${G[@]}") ]]; then
  run gcloud firestore backups schedules create --database='(default)' --recurrence=daily \
    --retention=14d "${G[@]}"
fi

say "Facts"
there bq show --project_id="$PROJECT" "$PROJECT:$DATASET" ||
  run bq mk --project_id="$PROJECT" --dataset --location="$BIGQUERY_LOCATION" \
    --max_time_travel_hours=168 "$PROJECT:$DATASET"
while IFS='|' read -r name partition clusters; do
  layout=()
  [[ -z $partition ]] || layout+=(--time_partitioning_type=DAY --time_partitioning_field="$partition")
  # Only the extracted archive expires, after 760 days; boards keep two years.
  [[ $name != archive_events ]] || layout+=(--time_partitioning_expiration=65664000)
  [[ -z $clusters ]] || layout+=(--clustering_fields="$clusters")
  schema=$ROOT/terraform/schemas/$name.json
  if there bq show --project_id="$PROJECT" "$PROJECT:$DATASET.$name"; then
    # Adds columns that are new; others stay.
    run bq update --project_id="$PROJECT" "$PROJECT:$DATASET.$name" "$schema"
  else
    run bq mk --project_id="$PROJECT" --table "${layout[@]}" "$PROJECT:$DATASET.$name" "$schema"
  fi
done < <(table tables)

say "Buckets and images"
there gcloud storage buckets describe "gs://$SOURCES" "${G[@]}" ||
  run gcloud storage buckets create "gs://$SOURCES" --location="$REGION" \
    --uniform-bucket-level-access --public-access-prevention "${G[@]}"
there gcloud storage buckets describe "gs://$BLOBS" "${G[@]}" ||
  run gcloud storage buckets create "gs://$BLOBS" --location="$REGION" \
    --uniform-bucket-level-access --public-access-prevention --soft-delete-duration=0 "${G[@]}"
run gcloud storage buckets update "gs://$BLOBS" --lifecycle-file="$HERE/blobs_lifecycle.json" "${G[@]}"
there gcloud artifacts repositories describe "$IMAGES" --location="$REGION" "${G[@]}" ||
  run gcloud artifacts repositories create "$IMAGES" --location="$REGION" \
    --repository-format=docker "${G[@]}"

say "Secrets"
while IFS='|' read -r _ id generated; do
  there gcloud secrets describe "$id" "${G[@]}" && continue
  run gcloud secrets create "$id" --replication-policy=automatic "${G[@]}"
  [[ -n $generated ]] || continue
  show '+' gcloud secrets versions add "$id" --data-file=- "${G[@]}"
  [[ -n $DRY_RUN ]] || "${PYTHON:-python3}" -c 'import secrets; print(secrets.token_urlsafe(36), end="")' |
    gcloud secrets versions add "$id" --data-file=- "${G[@]}"
done < <(table secrets)
# A function does not start with a secret that has no value: those that the owner may add are left
# out until there is one.
declare -A HAS_VALUE
while IFS='|' read -r name id generated; do
  [[ -z $generated ]] && ! there gcloud secrets versions describe latest --secret="$id" "${G[@]}" && continue
  HAS_VALUE[$name]=1
done < <(table secrets)

say "Queues"
while IFS='|' read -r name concurrent rate min_backoff max_backoff doublings attempts; do
  limits=(--location="$REGION" --max-concurrent-dispatches="$concurrent"
    --max-dispatches-per-second="$rate" --max-attempts="$attempts"
    --min-backoff="${min_backoff}s" --max-backoff="${max_backoff}s" --max-doublings="$doublings")
  if there gcloud tasks queues describe "$name" --location="$REGION" "${G[@]}"; then
    run gcloud tasks queues update "$name" "${limits[@]}" "${G[@]}"
  else
    run gcloud tasks queues create "$name" "${limits[@]}" "${G[@]}"
  fi
done < <(table queues)

say "Topics"
while read -r topic; do
  there gcloud pubsub topics describe "$topic" "${G[@]}" ||
    run gcloud pubsub topics create "$topic" --message-retention-duration=7d "${G[@]}"
done < <(table value topics)

say "Roles: why each is given stands in infra/deployment.json"
while IFS='|' read -r account role; do
  run gcloud projects add-iam-policy-binding "$PROJECT" --member="$(member "$account")" \
    --role="$role" --condition=None --format=none "${G[@]}"
done < <(table roles project)
while IFS='|' read -r account role; do
  run gcloud projects add-iam-policy-binding "$PROJECT" --member="$(member "$account")" \
    --role="$role" --format=none \
    --condition="title=leaderboard-documents,expression=resource.name == \"projects/$PROJECT/databases/(default)\"" \
    "${G[@]}"
done < <(table roles database)
while IFS='|' read -r account role; do
  run bq query --project_id="$PROJECT" --location="$BIGQUERY_LOCATION" --use_legacy_sql=false \
    "GRANT \`$role\` ON SCHEMA \`$PROJECT.$DATASET\` TO \"$(member "$account")\""
done < <(table roles dataset)
while IFS='|' read -r account role; do
  while IFS='|' read -r queue _; do
    run gcloud tasks queues add-iam-policy-binding "$queue" --location="$REGION" \
      --member="$(member "$account")" --role="$role" --format=none "${G[@]}"
  done <<<"$rows_of_queues"
done < <(table roles queues)
while read -r account; do
  run gcloud iam service-accounts add-iam-policy-binding "$(email "$TASKS")" \
    --member="$(member "$account")" --role=roles/iam.serviceAccountUser --format=none "${G[@]}"
done < <(table enqueuers)
while IFS='|' read -r account topic; do
  run gcloud pubsub topics add-iam-policy-binding "$topic" --member="$(member "$account")" \
    --role=roles/pubsub.publisher --format=none "${G[@]}"
done < <(table publishers)
while IFS='|' read -r account secret; do
  run gcloud secrets add-iam-policy-binding "${SECRET_IDS[$secret]}" \
    --member="$(member "$account")" --role=roles/secretmanager.secretAccessor --format=none "${G[@]}"
done < <(table secret_readers)
while IFS='|' read -r account role; do
  run gcloud storage buckets add-iam-policy-binding "gs://$BLOBS" --member="$(member "$account")" \
    --role="$role" --format=none "${G[@]}"
done < <(table roles blobs_bucket)
while IFS='|' read -r account role; do
  run gcloud iam service-accounts add-iam-policy-binding "$(email "$account")" \
    --member="$(member "$account")" --role="$role" --format=none "${G[@]}"
done < <(table roles itself)
for role in roles/logging.logWriter roles/storage.objectViewer; do
  run gcloud projects add-iam-policy-binding "$PROJECT" --member="$(member lb-build)" \
    --role="$role" --condition=None --format=none "${G[@]}"
done
run gcloud artifacts repositories add-iam-policy-binding "$IMAGES" --location="$REGION" \
  --member="$(member lb-build)" --role=roles/artifactregistry.writer --format=none "${G[@]}"

say "Source"
run make -C "$ROOT" --no-print-directory package
run gcloud storage cp "$ROOT/build/source.zip" "gs://$SOURCES/manual/source.zip" "${G[@]}"

say "Functions"
variables="BACKEND=gcp|LOG_FORMAT=json|GOOGLE_CLOUD_PROJECT=$PROJECT|GOOGLE_CLOUD_LOCATION=$REGION"
variables+="|LOG_LEVEL=${LOG_LEVEL:-INFO}|FIRESTORE_DATABASE=(default)"
variables+="|TASKS_SERVICE_ACCOUNT=$TASKS@$PROJECT.iam.gserviceaccount.com"
variables+="|INVOKER_SERVICE_ACCOUNTS=$(email "$TASKS"),$(email "$EVENTS"),$(email "$SCHEDULES")"
variables+="|TASKS_QUEUE_PREFIX=$(table value queue_prefix)|FUNCTION_URL=$(url '{function}')"
variables+="|STREAM_URL=$(url stream_logs)"
variables+="|BIGQUERY_DATASET=$DATASET|BIGQUERY_LOCATION=$BIGQUERY_LOCATION"
variables+="|ARCHIVE_PROJECT=$(table value archive_project)|BLOBS_BUCKET=$BLOBS|BUDGET_DAILY_USD=${BUDGET_DAILY_USD:-5}"
variables+="|BUDGET_MONTHLY_USD=${BUDGET_MONTHLY_USD:-50}"
variables+="|BUDGET_WARNING_PERCENT=${BUDGET_WARNING_PERCENT:-80}"
[[ -z ${GITHUB_OAUTH_CLIENT_ID:-} ]] || variables+="|GITHUB_OAUTH_CLIENT_ID=$GITHUB_OAUTH_CLIENT_ID"
[[ -z ${OTLP_ENDPOINT:-} ]] || variables+="|OTLP_ENDPOINT=$OTLP_ENDPOINT"
[[ -z ${GITHUB_APP_ID:-} ]] ||
  variables+="|GITHUB_APP_ID=$GITHUB_APP_ID|GITHUB_APP_INSTALLATION=$GITHUB_APP_INSTALLATION"
while IFS='|' read -r name account trigger timeout memory cpu concurrency least most secrets own; do
  given=()
  for secret in ${secrets//,/ }; do
    [[ -z ${HAS_VALUE[$secret]:-} ]] || given+=("$secret=${SECRET_IDS[$secret]}:latest")
  done
  with=(--clear-secrets)
  ((${#given[@]} == 0)) || with=(--set-secrets="$(IFS=,; printf '%s' "${given[*]}")")
  open=--no-allow-unauthenticated
  [[ $trigger == http && ${PUBLIC:-1} == 1 ]] && open=--allow-unauthenticated
  run gcloud functions deploy "$name" --gen2 --region="$REGION" --runtime="$RUNTIME" \
    --entry-point="$name" --trigger-http --source="gs://$SOURCES/manual/source.zip" \
    --service-account="$(email "$account")" \
    --build-service-account="projects/$PROJECT/serviceAccounts/$(email lb-build)" \
    --docker-repository="projects/$PROJECT/locations/$REGION/repositories/$IMAGES" \
    --memory="$memory" --cpu="$cpu" --concurrency="$concurrency" --min-instances="$least" \
    --max-instances="$most" --timeout="${timeout}s" --ingress-settings=all \
    --set-env-vars="^|^$variables${own:+|${own//,/|}}" "${with[@]}" "$open" --serve-all-traffic-latest-revision "${G[@]}"
done < <(table functions)
while IFS='|' read -r service account; do
  run gcloud run services add-iam-policy-binding "$service" --region="$REGION" \
    --member="$(member "$account")" --role=roles/run.invoker --format=none "${G[@]}"
done < <(table callers)

say "Subscriptions"
number=NUMBER
[[ -n $DRY_RUN ]] || number=$(gcloud projects describe "$PROJECT" --format='value(projectNumber)')
agent=serviceAccount:service-$number@gcp-sa-pubsub.iam.gserviceaccount.com
ack=$(table value subscription_rules.ack_deadline)
min_delay=$(table value subscription_rules.min_backoff)
max_delay=$(table value subscription_rules.max_backoff)
attempts=$(table value subscription_rules.max_delivery_attempts)
run gcloud iam service-accounts add-iam-policy-binding "$(email "$EVENTS")" --member="$agent" \
  --role=roles/iam.serviceAccountTokenCreator --format=none "${G[@]}"
while IFS='|' read -r name topic function dead_letters; do
  rules=(--push-endpoint="$(url "$function")" --push-auth-service-account="$(email "$EVENTS")"
    --push-auth-token-audience="$(url "$function")"
    --ack-deadline="$ack"
    --min-retry-delay="${min_delay}s"
    --max-retry-delay="${max_delay}s"
    --message-retention-duration=7d --expiration-period=never)
  [[ -z $dead_letters ]] || rules+=(--dead-letter-topic="$dead_letters"
    --max-delivery-attempts="$attempts")
  if there gcloud pubsub subscriptions describe "$name" "${G[@]}"; then
    run gcloud pubsub subscriptions update "$name" "${rules[@]}" "${G[@]}"
  else
    run gcloud pubsub subscriptions create "$name" --topic="$topic" "${rules[@]}" "${G[@]}"
  fi
  [[ -n $dead_letters ]] || continue
  run gcloud pubsub topics add-iam-policy-binding "$dead_letters" --member="$agent" \
    --role=roles/pubsub.publisher --format=none "${G[@]}"
  run gcloud pubsub subscriptions add-iam-policy-binding "$name" --member="$agent" \
    --role=roles/pubsub.subscriber --format=none "${G[@]}"
done < <(table subscriptions)

say "Schedules"
zone=$(table value schedule_rules.time_zone)
deadline=$(table value schedule_rules.attempt_deadline)
retries=$(table value schedule_rules.retry_count)
min_wait=$(table value schedule_rules.min_backoff)
max_wait=$(table value schedule_rules.max_backoff)
doublings=$(table value schedule_rules.max_doublings)
while IFS='|' read -r name function cron what; do
  job=(--location="$REGION" --schedule="$cron" --time-zone="$zone"
    --uri="$(url "$function")" --http-method=post --message-body='{}' --description="$what"
    --oidc-service-account-email="$(email "$SCHEDULES")"
    --oidc-token-audience="$(url "$function")"
    --attempt-deadline="${deadline}s"
    --max-retry-attempts="$retries"
    --min-backoff="${min_wait}s"
    --max-backoff="${max_wait}s"
    --max-doublings="$doublings")
  if there gcloud scheduler jobs describe "$name" --location="$REGION" "${G[@]}"; then
    run gcloud scheduler jobs update http "$name" "${job[@]}" \
      --update-headers=Content-Type=application/json "${G[@]}"
  else
    run gcloud scheduler jobs create http "$name" "${job[@]}" \
      --headers=Content-Type=application/json "${G[@]}"
  fi
done < <(table schedules)

say "Done. The API and the dashboard are at $(url api)"
echo "# docs/deployment.md goes on from here: the first key, the first repository."
