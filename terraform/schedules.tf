resource "google_cloud_scheduler_job" "schedule" {
  for_each = local.schedules

  name             = each.key
  description      = each.value.what
  region           = var.region
  schedule         = each.value.cron
  time_zone        = local.deployment.schedule_rules.time_zone
  attempt_deadline = "${local.deployment.schedule_rules.attempt_deadline}s"

  retry_config {
    retry_count          = local.deployment.schedule_rules.retry_count
    min_backoff_duration = "${local.deployment.schedule_rules.min_backoff}s"
    max_backoff_duration = "${local.deployment.schedule_rules.max_backoff}s"
    max_doublings        = local.deployment.schedule_rules.max_doublings
  }

  http_target {
    uri         = google_cloudfunctions2_function.function[each.value.function].service_config[0].uri
    http_method = "POST"
    body        = base64encode("{}")
    headers     = { "Content-Type" = "application/json" }

    oidc_token {
      service_account_email = google_service_account.caller["schedule"].email
      audience              = google_cloudfunctions2_function.function[each.value.function].service_config[0].uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.caller]
}
