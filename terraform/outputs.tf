output "api_url" {
  description = "Where the API and the dashboard are."
  value       = local.has_edge ? "https://${var.domain}" : google_cloudfunctions2_function.function["api"].service_config[0].uri
}

output "edge_address" {
  description = "What the domain's A record has to point to, where there is a load balancer."
  value       = local.has_edge ? google_compute_global_address.edge[0].address : null
}

output "sources_bucket" {
  description = "Where rollouts put source archives."
  value       = google_storage_bucket.sources.name
}

output "ci_account" {
  description = "Name this in `deployers` of the staging project, so that builds may deploy there."
  value       = local.has_delivery ? google_service_account.ci[0].member : null
}

output "first_steps" {
  description = "What to do after the first apply."
  value       = <<-EOT
    1. Make the first admin key, as somebody with roles/datastore.user in ${var.project}:
         docs/deployment.md, "The first key"
    2. Register a repository:
         curl -X POST ${local.has_edge ? "https://${var.domain}" : google_cloudfunctions2_function.function["api"].service_config[0].uri}/api/v1/repositories \
           -H 'X-API-Key: lb_...' -H 'Content-Type: application/json' -d '{"repository": "owner/name"}'
    3. Start the nightly pipeline now instead of at 02:00 UTC:
         gcloud scheduler jobs run run-pipeline --location=${var.region} --project=${var.project}
  EOT
}
