# Who may roll out, and the builds that do. Terraform gives the right to; what runs and how much
# traffic it gets is theirs.

locals {
  # Those named, and this project's own release builds.
  deployers = setunion(
    var.deployers,
    local.has_delivery ? ["serviceAccount:lb-release@${var.project}.iam.gserviceaccount.com"] : [],
  )

  deployer_roles = merge([
    for member in local.deployers : {
      # New source for functions; new traffic for the API's service.
      for role in ["roles/cloudfunctions.developer", "roles/run.developer"] :
      "${member} ${role}" => { member = member, role = role }
    }
  ]...)

  # Deploying a function that runs or is built as an account takes the right to act as it.
  deployers_act_as = merge([
    for member in local.deployers : {
      for name, account in merge(google_service_account.function, { build = google_service_account.build }) :
      "${member} ${name}" => { member = member, account = account.name }
    }
  ]...)
}

resource "google_project_iam_member" "deployer" {
  for_each = local.deployer_roles

  project = var.project
  role    = each.value.role
  member  = each.value.member

  depends_on = [google_service_account.release]
}

resource "google_service_account_iam_member" "deployer" {
  for_each = local.deployers_act_as

  service_account_id = each.value.account
  role               = "roles/iam.serviceAccountUser"
  member             = each.value.member

  depends_on = [google_service_account.release]
}

resource "google_storage_bucket_iam_member" "deployer" {
  for_each = local.deployers

  bucket = google_storage_bucket.sources.name
  role   = "roles/storage.objectAdmin"
  member = each.value

  depends_on = [google_service_account.release]
}

# --- builds, where a repository is connected --------------------------------------------------

# Checks, and tries out in the staging project. It can ask for a release; it cannot approve one.
resource "google_service_account" "ci" {
  count = local.has_delivery ? 1 : 0

  account_id   = "lb-ci"
  display_name = "Leaderboard: checks and staging"
  depends_on   = [google_project_service.api]
}

resource "google_service_account" "release" {
  count = local.has_delivery ? 1 : 0

  account_id   = "lb-release"
  display_name = "Leaderboard: releases"
  depends_on   = [google_project_service.api]
}

resource "google_project_iam_member" "ci" {
  for_each = local.has_delivery ? toset(["roles/logging.logWriter", "roles/cloudbuild.builds.editor"]) : toset([])

  project = var.project
  role    = each.value
  member  = google_service_account.ci[0].member
}

resource "google_project_iam_member" "release" {
  for_each = local.has_delivery ? toset(["roles/logging.logWriter"]) : toset([])

  project = var.project
  role    = each.value
  member  = google_service_account.release[0].member
}

# Starting a build that runs as an account takes the right to act as it.
resource "google_service_account_iam_member" "ci_asks_for_releases" {
  count = local.has_delivery ? 1 : 0

  service_account_id = google_service_account.release[0].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.ci[0].member
}

# What was tried is what is released: the archive goes here, and is never built again.
resource "google_storage_bucket_iam_member" "ci" {
  # Create and look, but not replace.
  for_each = local.has_delivery ? toset(["roles/storage.objectCreator", "roles/storage.objectViewer"]) : toset([])

  bucket = google_storage_bucket.sources.name
  role   = each.value
  member = google_service_account.ci[0].member
}

resource "google_cloudbuild_trigger" "check" {
  count = local.has_delivery ? 1 : 0

  name            = "leaderboard-check"
  description     = "Every push to main: checks, staging, smoke test, and a release that waits for approval"
  location        = var.region
  service_account = google_service_account.ci[0].id
  filename        = "cloudbuild.yaml"

  repository_event_config {
    repository = var.repository
    push {
      branch = "^main$"
    }
  }

  substitutions = {
    _REGION             = var.region
    _STAGING_PROJECT    = var.staging_project
    _PRODUCTION_PROJECT = var.project
  }
}

resource "google_cloudbuild_trigger" "release" {
  count = local.has_delivery ? 1 : 0

  name            = "leaderboard-release"
  description     = "Rolls a tried archive out, step by step, once somebody has approved it"
  location        = var.region
  service_account = google_service_account.release[0].id

  # Cloud Build can wait for a person before a build, not within one: hence two builds.
  approval_config {
    approval_required = true
  }

  source_to_build {
    repository = var.repository
    ref        = "refs/heads/main"
    repo_type  = "GITHUB"
  }

  git_file_source {
    path       = "cloudbuild.release.yaml"
    repository = var.repository
    revision   = "refs/heads/main"
    repo_type  = "GITHUB"
  }

  substitutions = {
    _REGION  = var.region
    _PROJECT = var.project
  }
}
