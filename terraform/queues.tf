# The waits between attempts (60, 120, 240 s) and the pace are those of the embedded queue
# (infra/local/tasks.py); a test holds the two against each other. After the last attempt the
# platform drops a task: the job itself knows its attempts, and sweep_jobs settles what got lost.

resource "google_cloud_tasks_queue" "queue" {
  for_each = local.queues

  name     = each.value.full_name
  location = var.region

  rate_limits {
    max_concurrent_dispatches = each.value.max_concurrent
    max_dispatches_per_second = each.value.per_second
  }

  retry_config {
    max_attempts  = local.deployment.queue_retry.max_attempts
    min_backoff   = "${local.deployment.queue_retry.min_backoff}s"
    max_backoff   = "${local.deployment.queue_retry.max_backoff}s"
    max_doublings = local.deployment.queue_retry.max_doublings
  }

  stackdriver_logging_config {
    # What every call came to is in the functions' own logs; here only a sample.
    sampling_ratio = 0.1
  }

  depends_on = [google_project_service.api]
}
