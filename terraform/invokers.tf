# Who may call what. Only the API and the live log can be called by everybody.

resource "google_cloud_run_v2_service_iam_member" "caller" {
  for_each = local.called_by

  project  = var.project
  location = var.region
  name     = local.service_names[google_cloudfunctions2_function.function[each.value.function].name]
  role     = "roles/run.invoker"
  member   = google_service_account.caller[each.value.caller].member
}

resource "google_cloud_run_v2_service_iam_member" "public" {
  for_each = var.public_api ? toset(["api", "stream_logs"]) : toset([])

  project  = var.project
  location = var.region
  name     = local.service_names[google_cloudfunctions2_function.function[each.key].name]
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_service_iam_member" "known" {
  for_each = var.public_api ? toset([]) : var.api_callers

  project  = var.project
  location = var.region
  name     = local.service_names[google_cloudfunctions2_function.function["api"].name]
  role     = "roles/run.invoker"
  member   = each.value
}
