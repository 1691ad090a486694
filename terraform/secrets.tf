# Values are never in the state: generated ones are ephemeral here and written only, the others are
# added by hand (docs/deployment.md).

resource "google_secret_manager_secret" "secret" {
  for_each = local.secrets

  secret_id = each.value.id

  replication {
    auto {}
  }

  depends_on = [google_project_service.api]
}

ephemeral "random_password" "generated" {
  for_each = { for name, secret in local.secrets : name => secret if secret.generated }

  length  = 48
  special = false
}

resource "google_secret_manager_secret_version" "generated" {
  for_each = { for name, secret in local.secrets : name => secret if secret.generated }

  secret                 = google_secret_manager_secret.secret[each.key].id
  secret_data_wo         = ephemeral.random_password.generated[each.key].result
  secret_data_wo_version = var.secrets_generation

  # Earlier versions stay readable: pseudonyms made with them can still be told apart.
  deletion_policy = "ABANDON"
}
