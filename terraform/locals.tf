# What is deployed stands in infra/deployment.json, which the gcloud script and the tests read too:
# a new function is one line there.
locals {
  deployment = jsondecode(file("${path.module}/../infra/deployment.json"))
  tables     = jsondecode(file("${path.module}/schemas/tables.json"))

  defaults = local.deployment.functions

  # The defaults with what var.functions changes of them.
  functions = {
    for name, function in local.defaults : name => merge(function, {
      secrets = concat(function.secrets, local.deployment.secrets_of_all)
      }, {
      for key, value in try(var.functions[name], {}) : key => value if value != null
    })
  }

  queues        = { for name, queue in local.deployment.queues : name => merge(queue, { full_name = "${local.deployment.queue_prefix}${name}" }) }
  topics        = toset(local.deployment.topics)
  subscriptions = local.deployment.subscriptions
  schedules     = local.deployment.schedules
  secrets       = local.deployment.secrets

  # Secrets that have a value, so that a function can start with them.
  usable_secrets = [
    for name, secret in local.secrets : name
    if secret.generated || contains(var.secrets_added, name)
  ]

  # Told to functions where a GitHub App is named; its key is a secret.
  github_app = {
    for name, value in {
      GITHUB_OAUTH_CLIENT_ID  = var.github_oauth_client_id
      GITHUB_APP_ID           = try(var.github_app.id, null)
      GITHUB_APP_INSTALLATION = try(tostring(var.github_app.installation), null)
    } : name => value if value != null
  }

  has_edge     = var.domain != ""
  has_delivery = var.repository != ""
}
