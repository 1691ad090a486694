# Which role of which function, from the grants in infra/deployment.json. Each map has an entry for
# one binding of accounts.tf.

locals {
  # One entry for each role of each function: "function role".
  project_roles = merge([
    for name, function in local.functions : {
      for role in distinct(flatten([for grant in function.grants : lookup(local.deployment.grants[grant], "project", [])])) :
      "${name} ${role}" => { function = name, role = role }
    }
  ]...)
  database_roles = merge([
    for name, function in local.functions : {
      for role in distinct(flatten([for grant in function.grants : lookup(local.deployment.grants[grant], "database", [])])) :
      "${name} ${role}" => { function = name, role = role }
    }
  ]...)
  dataset_roles = merge([
    for name, function in local.functions : {
      for role in distinct(flatten([for grant in function.grants : lookup(local.deployment.grants[grant], "dataset", [])])) :
      "${name} ${role}" => { function = name, role = role }
    }
  ]...)
  queue_roles = merge(flatten([
    for name, function in local.functions : [
      for queue in keys(local.queues) : {
        for role in distinct(flatten([for grant in function.grants : lookup(local.deployment.grants[grant], "queues", [])])) :
        "${name} ${queue} ${role}" => { function = name, queue = queue, role = role }
      }
    ]
  ])...)
  blobs_roles = merge([
    for name, function in local.functions : {
      for role in distinct(flatten([for grant in function.grants : lookup(local.deployment.grants[grant], "blobs_bucket", [])])) :
      "${name} ${role}" => { function = name, role = role }
    }
  ]...)
  own_roles = merge([
    for name, function in local.functions : {
      for role in distinct(flatten([for grant in function.grants : lookup(local.deployment.grants[grant], "itself", [])])) :
      "${name} ${role}" => { function = name, role = role }
    }
  ]...)
  publishers = merge([
    for name, function in local.functions : {
      for topic in function.publishes : "${name} ${topic}" => { function = name, topic = topic }
    }
  ]...)
  enqueuers = toset([
    for name, function in local.functions : name
    if anytrue([for grant in function.grants : lookup(local.deployment.grants[grant], "acts_as_tasks", false)])
  ])
  secret_readers = merge([
    for name, function in local.functions : {
      for secret in function.secrets : "${name} ${secret}" => { function = name, secret = secret }
    }
  ]...)

  # A function runs as a Cloud Run service of its name, with hyphens.
  service_names = { for name in keys(local.functions) : name => replace(name, "_", "-") }

  # Of some scheduled functions the rest of the work comes as tasks.
  called_by = merge(
    {
      for name, function in local.functions : name => { function = name, caller = function.trigger }
      if function.trigger != "http"
    },
    {
      for name in local.deployment.called_by_tasks_too : "${name} task" => { function = name, caller = "task" }
    },
  )
}
