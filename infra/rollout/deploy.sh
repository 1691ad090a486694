#!/usr/bin/env bash
# New source for functions that are there: all of them, the api, or the workers. Configuration (memory,
# accounts, variables, secrets) is Terraform's and is not touched: gcloud leaves what is not named.
#
#   PROJECT=... REGION=... RELEASE=commit infra/rollout/deploy.sh all|api|workers
set -euo pipefail
: "${PROJECT:?}" "${REGION:?}" "${RELEASE:?}"

bucket=gs://$PROJECT-leaderboard-sources
archive=$bucket/releases/$RELEASE.zip

case "$1" in
  all) wanted='.*' ;;
  api) wanted='^api$' ;;
  workers) wanted='^(?!api$)' ;;
  *)
    echo "deploy.sh all|api|workers" >&2
    exit 2
    ;;
esac

# In staging the archive comes from this build; where a release is rolled out it is there already.
if [[ -f build/source.zip ]]; then
  archive=$bucket/trials/$RELEASE.zip
  gcloud storage cp build/source.zip "$archive" --project="$PROJECT"
fi

python3 infra/gcloud/table.py functions | cut -d'|' -f1 | grep -P "$wanted" | while read -r name; do
  echo "$name: $RELEASE"
  gcloud functions deploy "$name" --gen2 --region="$REGION" --project="$PROJECT" --quiet \
    --source="$archive" --update-labels="release=${RELEASE:0:40}" </dev/null
done
