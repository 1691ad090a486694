locals {
  log_metric = "${local.of_functions} AND metric.type=\"logging.googleapis.com/user"

  # Title, filter, aligner, reducer, field to group by.
  charts = [
    { title = "Requests to the API a second", filter = "${local.of_functions} AND resource.labels.service_name=\"api\" AND metric.type=\"run.googleapis.com/request_count\"", aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = "metric.labels.response_code_class" },
    { title = "Milliseconds to an answer, slowest 5 %", filter = "${local.log_metric}/${google_logging_metric.latency.name}\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_95", by = "" },
    { title = "Failed scrapes", filter = "${local.log_metric}/${google_logging_metric.counted["scrape_failures"].name}\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = "" },
    { title = "Dead letters", filter = "${local.log_metric}/${google_logging_metric.counted["dead_letters"].name}\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = "" },
    { title = "Tasks waiting", filter = "resource.type=\"cloud_tasks_queue\" AND metric.type=\"cloudtasks.googleapis.com/queue/depth\"", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = "resource.labels.queue_id" },
    { title = "Messages waiting", filter = "resource.type=\"pubsub_subscription\" AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\"", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = "resource.labels.subscription_id" },
    { title = "Bytes billed by BigQuery", filter = "resource.type=\"global\" AND metric.type=\"bigquery.googleapis.com/query/statement_scanned_bytes_billed\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = "" },
    { title = "Budget warnings", filter = "${local.log_metric}/${google_logging_metric.counted["budget_warnings"].name}\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = "" },
    { title = "Document reads a second", filter = "metric.type=\"firestore.googleapis.com/document/read_ops_count\" AND resource.type=\"firestore.googleapis.com/Database\"", aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = "" },
    { title = "Instances", filter = "${local.of_functions} AND metric.type=\"run.googleapis.com/container/instance_count\"", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = "resource.labels.service_name" },
  ]
}

resource "google_monitoring_dashboard" "overview" {
  dashboard_json = jsonencode({
    displayName = "Leaderboard"
    gridLayout = {
      columns = "2"
      widgets = [
        for chart in local.charts : {
          title = chart.title
          xyChart = {
            dataSets = [{
              plotType = "LINE"
              timeSeriesQuery = {
                timeSeriesFilter = {
                  filter = chart.filter
                  aggregation = {
                    alignmentPeriod    = "300s"
                    perSeriesAligner   = chart.aligner
                    crossSeriesReducer = chart.reducer
                    groupByFields      = compact([chart.by])
                  }
                }
              }
            }]
          }
        }
      ]
    }
  })

  depends_on = [google_project_service.api]
}
