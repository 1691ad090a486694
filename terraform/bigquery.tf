resource "google_bigquery_dataset" "facts" {
  dataset_id  = local.deployment.dataset
  location    = var.bigquery_location
  description = "Facts of the leaderboard: slim events, contributions, standings, and what reading them cost"

  # Time travel is the backup against mistakes of the last week; snapshots are for longer.
  max_time_travel_hours      = 168
  delete_contents_on_destroy = !var.protect_data

  depends_on = [google_project_service.api]
}

# Columns, partitions and clusters come from infra/gcp/table_definitions.py by
# `python -m infra.table_schemas`; a test fails when the files are not those of the code.
resource "google_bigquery_table" "table" {
  for_each = local.tables

  dataset_id          = google_bigquery_dataset.facts.dataset_id
  table_id            = each.key
  description         = each.value.description
  schema              = file("${path.module}/schemas/${each.key}.json")
  clustering          = length(each.value.cluster_by) > 0 ? each.value.cluster_by : null
  deletion_protection = var.protect_data

  dynamic "time_partitioning" {
    for_each = each.value.partition_by == null ? [] : [each.value.partition_by]
    content {
      type  = "DAY"
      field = time_partitioning.value

      # Only the extracted archive expires: registered repositories keep what their boards show.
      expiration_ms = each.key == "archive_events" ? var.archive_partition_days * 86400000 : null
    }
  }
}
