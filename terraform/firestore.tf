resource "google_firestore_database" "documents" {
  name                              = "(default)"
  location_id                       = var.firestore_location != "" ? var.firestore_location : var.region
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "PESSIMISTIC"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = var.protect_data ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = var.protect_data ? "ABANDON" : "DELETE"
  depends_on                        = [google_project_service.api]
}

# Queries that have a condition on one field and an order by another. Single fields are indexed by
# themselves. A test finds every query of the code and asks for its index here.
resource "google_firestore_index" "index" {
  for_each = {
    for index in local.deployment.indexes :
    "${index.collection} ${join(" ", [for field in index.fields : "${field[0]} ${field[1]}"])}" => index
  }

  database    = google_firestore_database.documents.name
  collection  = each.value.collection
  query_scope = "COLLECTION"

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value[0]
      order      = fields.value[1]
    }
  }
}

# The body of a document is never asked for by value: without this its first 1,500 bytes would be
# indexed, and paid for with every write.
#
# No TTL policy stands here. Firestore's TTL needs a field of its type timestamp, and documents hold
# JSON, with times as RFC 3339 text (docs/decisions/gcp-adapters.md): a policy would be accepted and
# delete nothing. What is to expire is deleted by apply_retention.
resource "google_firestore_field" "body" {
  for_each = toset(local.deployment.collections)

  database   = google_firestore_database.documents.name
  collection = each.value
  field      = "body"

  # Empty: no index at all.
  index_config {}
}

resource "google_firestore_backup_schedule" "daily" {
  database  = google_firestore_database.documents.name
  retention = "${var.backup_days * 86400}s"

  daily_recurrence {}
}

# Exports leave the database's own backups: files that can be read elsewhere, or loaded into
# BigQuery. Scheduler calls Firestore itself; no function takes part.
resource "google_service_account" "exports" {
  count = var.export_days > 0 ? 1 : 0

  account_id   = "lb-exports"
  display_name = "Leaderboard: exports of documents"
  depends_on   = [google_project_service.api]
}

resource "google_project_iam_member" "exports" {
  count = var.export_days > 0 ? 1 : 0

  project = var.project
  role    = "roles/datastore.importExportAdmin"
  member  = google_service_account.exports[0].member
}

resource "google_storage_bucket_iam_member" "exports" {
  for_each = var.export_days > 0 ? toset(["roles/storage.objectAdmin", "roles/storage.legacyBucketReader"]) : toset([])

  bucket = google_storage_bucket.exports.name
  role   = each.value
  member = google_service_account.exports[0].member
}

resource "google_cloud_scheduler_job" "export" {
  count = var.export_days > 0 ? 1 : 0

  name        = "export-documents"
  description = "weekly export of the document database"
  region      = var.region
  schedule    = "0 3 * * 6"
  time_zone   = "Etc/UTC"

  http_target {
    uri         = "https://firestore.googleapis.com/v1/${google_firestore_database.documents.id}:exportDocuments"
    http_method = "POST"
    # A bucket without a folder: Firestore names the folder by the time.
    body    = base64encode(jsonencode({ outputUriPrefix = "gs://${google_storage_bucket.exports.name}" }))
    headers = { "Content-Type" = "application/json" }

    # A Google interface takes access tokens, not identity tokens.
    oauth_token {
      service_account_email = google_service_account.exports[0].email
      scope                 = "https://www.googleapis.com/auth/datastore"
    }
  }
}
