# Terraform owns the configuration of functions. Their source and, for the API, which revision gets
# traffic belong to the rollout (cloudbuild.release.yaml): see docs/deployment.md. The first source
# comes from here, because a function cannot be made without.

resource "google_cloudfunctions2_function" "function" {
  for_each = local.functions

  name        = each.key
  location    = var.region
  description = "Leaderboard, called by: ${each.value.trigger}"

  build_config {
    runtime           = local.deployment.runtime
    entry_point       = each.key
    service_account   = google_service_account.build.id
    docker_repository = google_artifact_registry_repository.images.id

    source {
      storage_source {
        bucket = google_storage_bucket.sources.name
        object = google_storage_bucket_object.initial_source.name
      }
    }
  }

  service_config {
    available_memory                 = each.value.memory
    available_cpu                    = each.value.cpu
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = each.value.min_instances
    max_instance_count               = each.value.max_instances
    timeout_seconds                  = each.value.timeout
    service_account_email            = google_service_account.function[each.key].email
    environment_variables            = merge(local.environment, local.github_app, try(each.value.environment, {}))

    # Who may call is IAM's to say (invokers.tf): tasks, pushes and schedules come from outside the
    # network. Behind the load balancer the API's own address is closed.
    ingress_settings = each.key == "api" && local.has_edge ? "ALLOW_INTERNAL_AND_GCLB" : "ALLOW_ALL"

    # False leaves traffic as it is; true would move all of it to the revision that an apply makes.
    all_traffic_on_latest_revision = false

    dynamic "secret_environment_variables" {
      for_each = [for name in each.value.secrets : name if contains(local.usable_secrets, name)]
      content {
        key        = secret_environment_variables.value
        project_id = var.project
        secret     = google_secret_manager_secret.secret[secret_environment_variables.value].secret_id
        version    = "latest"
      }
    }
  }

  lifecycle {
    ignore_changes = [
      build_config[0].source,
      service_config[0].all_traffic_on_latest_revision,
    ]
  }

  # A revision does not start before its account may read its secrets, and must not run before
  # it may do its work.
  depends_on = [
    google_project_iam_member.build,
    google_artifact_registry_repository_iam_member.build,
    google_project_iam_member.documents,
    google_secret_manager_secret_iam_member.function,
    google_secret_manager_secret_version.generated,
  ]
}
