resource "google_project_service" "api" {
  for_each = toset(local.deployment.services)

  project = var.project
  service = each.value

  # Something else in the project may use it.
  disable_on_destroy = false
}
