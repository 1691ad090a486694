# Metrics come from what the functions log ("event" of each line); a test holds the names against the
# code. Alerts go to alert_emails.

locals {
  of_functions = "resource.type=\"cloud_run_revision\""

  # Counted lines: event, further condition.
  counted = {
    scrape_failures  = { event = "scrape_failed", also = "", what = "Steps of jobs that failed for good" }
    dead_letters     = { event = "dead_letter_recorded", also = "", what = "Messages that nobody could take" }
    settled_jobs     = { event = "job_settled", also = " AND jsonPayload.lost=true", what = "Workers that died at work" }
    budget_warnings  = { event = "budget_warning", also = "", what = "The warehouse's limit is nearly used up" }
    budget_overruns  = { event = "budget_overrun", also = "", what = "A statement was billed more than it was allowed" }
    failed_requests  = { event = "request_failed", also = "", what = "Requests that ended in an error of ours" }
    auth_failures    = { event = "auth_failures", also = "", what = "Keys are refused again and again" }
    audit_not_intact = { event = "audit_not_intact", also = "", what = "The audit trail is not what was sealed" }
    failed_checks    = { event = "health_check_failed", also = "", what = "Parts that did not answer a health check" }
    broken_calls     = { event = "delivery_failed", also = "", what = "Tasks, messages and set times that broke a function" }
    open_circuits    = { event = "circuit_opened", also = "", what = "A service outside failed again and again and is left alone" }
    postponed_events = { event = "delivery_postponed", also = "", what = "Deliveries that were put off" }
  }

  # A line of a metric's count above a limit.
  count_alerts = {
    scrape_failures  = { above = var.alert_thresholds.scrape_failures, window = "3600s", severity = "ERROR" }
    dead_letters     = { above = 0, window = "300s", severity = "ERROR" }
    budget_warnings  = { above = 0, window = "300s", severity = "WARNING" }
    budget_overruns  = { above = 0, window = "300s", severity = "CRITICAL" }
    auth_failures    = { above = 0, window = "300s", severity = "WARNING" }
    audit_not_intact = { above = 0, window = "300s", severity = "CRITICAL" }
    broken_calls     = { above = 0, window = "300s", severity = "ERROR" }
    open_circuits    = { above = 0, window = "300s", severity = "WARNING" }
    failed_checks    = { above = 0, window = "300s", severity = "WARNING" }
  }
}

resource "google_logging_metric" "counted" {
  for_each = local.counted

  name        = "leaderboard/${each.key}"
  description = each.value.what
  filter      = "${local.of_functions} AND jsonPayload.event=\"${each.value.event}\"${each.value.also}"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }

  depends_on = [google_project_service.api]
}

# How long requests took, by the function's own clock: without the start of an instance.
resource "google_logging_metric" "latency" {
  name            = "leaderboard/request_ms"
  description     = "Milliseconds from a request to its answer"
  filter          = "${local.of_functions} AND jsonPayload.event=\"request_answered\""
  value_extractor = "EXTRACT(jsonPayload.duration_ms)"

  label_extractors = {
    status = "EXTRACT(jsonPayload.status)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "ms"

    labels {
      key         = "status"
      value_type  = "STRING"
      description = "Status of the answer"
    }
  }

  bucket_options {
    exponential_buckets {
      num_finite_buckets = 24
      growth_factor      = 1.6
      scale              = 1
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  display_name = "Leaderboard alerts to ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }
  depends_on   = [google_project_service.api]
}

locals {
  channels = [for channel in google_monitoring_notification_channel.email : channel.id]
}

resource "google_monitoring_alert_policy" "count" {
  for_each = local.count_alerts

  display_name          = "Leaderboard: ${local.counted[each.key].what}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels

  conditions {
    display_name = each.key

    condition_threshold {
      filter          = "${local.of_functions} AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.counted[each.key].name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = "0s"

      aggregations {
        alignment_period     = each.value.window
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content   = "Search the logs for jsonPayload.event=\"${local.counted[each.key].event}\". docs/deployment.md says what to do."
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "latency" {
  display_name          = "Leaderboard: slow answers"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels

  conditions {
    display_name = "the slowest 5 % of answers"

    condition_threshold {
      filter          = "${local.of_functions} AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.latency.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.alert_thresholds.latency_seconds * 1000
      duration        = "300s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_PERCENTILE_95"
      }
    }
  }
}

# Counted by the platform, so that what never reached our code (no memory, no instance) counts too.
resource "google_monitoring_alert_policy" "errors" {
  display_name          = "Leaderboard: server errors"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "share of answers of the API that are server errors"

    condition_threshold {
      filter             = "${local.of_functions} AND resource.labels.service_name=\"api\" AND metric.type=\"run.googleapis.com/request_count\" AND metric.labels.response_code_class=\"5xx\""
      denominator_filter = "${local.of_functions} AND resource.labels.service_name=\"api\" AND metric.type=\"run.googleapis.com/request_count\""
      comparison         = "COMPARISON_GT"
      threshold_value    = var.alert_thresholds.error_share
      duration           = "300s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_RATE"
        cross_series_reducer = "REDUCE_SUM"
      }
      denominator_aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_RATE"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_alert_policy" "queue_depth" {
  display_name          = "Leaderboard: tasks pile up"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels

  conditions {
    display_name = "tasks waiting in a queue"

    condition_threshold {
      filter          = "resource.type=\"cloud_tasks_queue\" AND resource.labels.queue_id=starts_with(\"${local.deployment.queue_prefix}\") AND metric.type=\"cloudtasks.googleapis.com/queue/depth\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.alert_thresholds.queue_depth
      duration        = "900s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  depends_on = [google_cloud_tasks_queue.queue]
}
