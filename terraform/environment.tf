data "google_project" "this" {
  project_id = var.project
}

locals {
  # What functions are told; the names are those of shared/settings.py.
  environment = {
    BACKEND                  = "gcp"
    LOG_FORMAT               = "json"
    LOG_LEVEL                = var.log_level
    GOOGLE_CLOUD_PROJECT     = var.project
    GOOGLE_CLOUD_LOCATION    = var.region
    FIRESTORE_DATABASE       = google_firestore_database.documents.name
    TASKS_SERVICE_ACCOUNT    = google_service_account.caller["task"].email
    INVOKER_SERVICE_ACCOUNTS = join(",", [for caller in google_service_account.caller : caller.email])
    TASKS_QUEUE_PREFIX       = local.deployment.queue_prefix
    FUNCTION_URL             = "https://${var.region}-${var.project}.cloudfunctions.net/{function}"
    PUBLIC_URL               = local.has_edge ? "https://${var.domain}" : ""
    STREAM_URL               = "https://${var.region}-${var.project}.cloudfunctions.net/stream_logs"
    BIGQUERY_DATASET         = google_bigquery_dataset.facts.dataset_id
    BIGQUERY_LOCATION        = google_bigquery_dataset.facts.location
    ARCHIVE_PROJECT          = local.deployment.archive_project
    BLOBS_BUCKET             = google_storage_bucket.blobs.name
    BUDGET_DAILY_USD         = tostring(var.budget_daily_usd)
    BUDGET_MONTHLY_USD       = tostring(var.budget_monthly_usd)
    BUDGET_WARNING_PERCENT   = tostring(var.budget_warning_percent)
    OTLP_ENDPOINT            = var.otlp_endpoint
    TRUSTED_PROXIES          = local.has_edge ? "2" : "1"
  }

  # The account that Pub/Sub itself works as in this project.
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}
