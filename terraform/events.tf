resource "google_pubsub_topic" "topic" {
  for_each = local.topics

  name                       = each.value
  message_retention_duration = "${local.deployment.subscription_rules.retention}s"
  depends_on                 = [google_project_service.api]
}

resource "google_pubsub_subscription" "subscription" {
  for_each = local.subscriptions

  name                       = each.key
  topic                      = google_pubsub_topic.topic[each.value.topic].id
  ack_deadline_seconds       = local.deployment.subscription_rules.ack_deadline
  message_retention_duration = "${local.deployment.subscription_rules.retention}s"

  push_config {
    push_endpoint = google_cloudfunctions2_function.function[each.value.function].service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.caller["event"].email
      audience              = google_cloudfunctions2_function.function[each.value.function].service_config[0].uri
    }
  }

  retry_policy {
    minimum_backoff = "${local.deployment.subscription_rules.min_backoff}s"
    maximum_backoff = "${local.deployment.subscription_rules.max_backoff}s"
  }

  # The subscription of the dead letters has none itself: it tries until a message is forgotten.
  dynamic "dead_letter_policy" {
    for_each = each.value.dead_letter_topic == null ? [] : [each.value.dead_letter_topic]
    content {
      dead_letter_topic     = google_pubsub_topic.topic[dead_letter_policy.value].id
      max_delivery_attempts = local.deployment.subscription_rules.max_delivery_attempts
    }
  }

  # A subscription that nobody used for a month would be deleted.
  expiration_policy {
    ttl = ""
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.caller,
    google_service_account_iam_member.pubsub_tokens,
  ]
}

# Pub/Sub's own agent signs the tokens, puts what failed into the dead-letter topic, and takes it
# out of the subscription.
resource "google_service_account_iam_member" "pubsub_tokens" {
  service_account_id = google_service_account.caller["event"].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent
  depends_on         = [google_pubsub_topic.topic]
}

resource "google_pubsub_topic_iam_member" "dead_letters" {
  for_each = toset([for s in values(local.subscriptions) : s.dead_letter_topic if s.dead_letter_topic != null])

  project = var.project
  topic   = google_pubsub_topic.topic[each.value].name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each = { for name, s in local.subscriptions : name => s if s.dead_letter_topic != null }

  project      = var.project
  subscription = google_pubsub_subscription.subscription[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
