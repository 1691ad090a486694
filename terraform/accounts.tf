# An account for every function, and one for each service that calls functions. The roles and why a
# function needs them stand in infra/deployment.json ("grants"); docs/deployment.md has the table.

resource "google_service_account" "function" {
  for_each = local.functions

  account_id   = each.value.account
  display_name = "Leaderboard: ${each.key}"
  description  = "Identity of the function ${each.key}"
  depends_on   = [google_project_service.api]
}

resource "google_service_account" "caller" {
  for_each = local.deployment.callers

  account_id   = each.value.account
  display_name = "Leaderboard: calls by ${each.key}"
  description  = "Identity ${each.value.what}"
  depends_on   = [google_project_service.api]
}

# Builds run as this account and not as the default one of Compute Engine, which may be an editor.
resource "google_service_account" "build" {
  account_id   = "lb-build"
  display_name = "Leaderboard: builds of functions"
  depends_on   = [google_project_service.api]
}

resource "google_project_iam_member" "function" {
  for_each = local.project_roles

  project = var.project
  role    = each.value.role
  member  = google_service_account.function[each.value.function].member
}

# Firestore has no policy of its own, so the role is the project's, under the condition that it is
# used on this database.
resource "google_project_iam_member" "documents" {
  for_each = local.database_roles

  project = var.project
  role    = each.value.role
  member  = google_service_account.function[each.value.function].member

  condition {
    title      = "leaderboard-documents"
    expression = "resource.name == \"projects/${var.project}/databases/${google_firestore_database.documents.name}\""
  }
}

resource "google_bigquery_dataset_iam_member" "function" {
  for_each = local.dataset_roles

  project    = var.project
  dataset_id = google_bigquery_dataset.facts.dataset_id
  role       = each.value.role
  member     = google_service_account.function[each.value.function].member
}

resource "google_cloud_tasks_queue_iam_member" "function" {
  for_each = local.queue_roles

  project  = var.project
  location = var.region
  name     = google_cloud_tasks_queue.queue[each.value.queue].name
  role     = each.value.role
  member   = google_service_account.function[each.value.function].member
}

# Whoever adds a task that carries a token of an account has to be allowed to act as that account.
resource "google_service_account_iam_member" "acts_as_tasks" {
  for_each = local.enqueuers

  service_account_id = google_service_account.caller["task"].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.function[each.value].member
}

resource "google_storage_bucket_iam_member" "blobs" {
  for_each = local.blobs_roles

  bucket = google_storage_bucket.blobs.name
  role   = each.value.role
  member = google_service_account.function[each.value.function].member
}

# Who signs links does it in its own name, by IAM and without a key.
resource "google_service_account_iam_member" "itself" {
  for_each = local.own_roles

  service_account_id = google_service_account.function[each.value.function].name
  role               = each.value.role
  member             = google_service_account.function[each.value.function].member
}

resource "google_pubsub_topic_iam_member" "function" {
  for_each = local.publishers

  project = var.project
  topic   = google_pubsub_topic.topic[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = google_service_account.function[each.value.function].member
}

resource "google_secret_manager_secret_iam_member" "function" {
  for_each = local.secret_readers

  project   = var.project
  secret_id = google_secret_manager_secret.secret[each.value.secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function[each.value.function].member
}

# What Cloud Functions asks of an account that builds: write logs, read the source, keep the image.
resource "google_project_iam_member" "build" {
  for_each = toset([
    "roles/logging.logWriter",
    "roles/storage.objectViewer",
  ])

  project = var.project
  role    = each.value
  member  = google_service_account.build.member
}

resource "google_artifact_registry_repository_iam_member" "build" {
  project    = var.project
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}
