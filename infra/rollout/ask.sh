#!/usr/bin/env bash
# Ask for a release of what was tried: a build that waits until somebody approves it.
set -euo pipefail
# The archive and the list of what is in it go to where releases are made from. What is there is never
# replaced: a release is what was tried.
: "${PROJECT:?}" "${REGION:?}" "${RELEASE:?}"
releases=gs://$PROJECT-leaderboard-sources/releases
gcloud storage cp --no-clobber build/source.zip "$releases/$RELEASE.zip" --project="$PROJECT"
gcloud storage cp --no-clobber build/sbom.json "$releases/$RELEASE.sbom.json" --project="$PROJECT"
gcloud builds triggers run leaderboard-release --region="$REGION" --project="$PROJECT" \
  --sha="$RELEASE" --substitutions="_RELEASE=$RELEASE"
echo "Approve with: gcloud builds approve BUILD_ID --location=$REGION --project=$PROJECT"
