# Optional (domain): a load balancer with CDN and Cloud Armor in front of the API. It costs about 20 USD
# a month before the first request, so it is off unless asked for.

resource "google_compute_region_network_endpoint_group" "api" {
  count = local.has_edge ? 1 : 0

  name                  = "leaderboard-api"
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = local.service_names[google_cloudfunctions2_function.function["api"].name]
  }
}

resource "google_compute_security_policy" "edge" {
  count = local.has_edge ? 1 : 0

  name        = "leaderboard-edge"
  description = "Holds back addresses that ask too often"

  rule {
    action      = "throttle"
    priority    = 1000
    description = "Requests a minute from one address"

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = var.edge_requests_per_minute
        interval_sec = 60
      }
    }
  }

  rule {
    action      = "allow"
    priority    = 2147483647
    description = "Everything else; every policy ends with such a rule"

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_compute_backend_service" "api" {
  count = local.has_edge ? 1 : 0

  name                  = "leaderboard-api"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = google_compute_security_policy.edge[0].id
  enable_cdn            = true

  backend {
    group = google_compute_region_network_endpoint_group.api[0].id
  }

  # The API says itself what may be kept and for how long.
  cdn_policy {
    cache_mode                   = "USE_ORIGIN_HEADERS"
    signed_url_cache_max_age_sec = 0

    cache_key_policy {
      include_host         = true
      include_protocol     = true
      include_query_string = true
    }
  }

  log_config {
    enable      = true
    sample_rate = 0.1
  }
}

resource "google_compute_url_map" "edge" {
  count = local.has_edge ? 1 : 0

  name            = "leaderboard-edge"
  default_service = google_compute_backend_service.api[0].id
}

resource "google_compute_managed_ssl_certificate" "edge" {
  count = local.has_edge ? 1 : 0

  name = "leaderboard-edge"

  managed {
    domains = [var.domain]
  }

  depends_on = [google_project_service.api]
}

resource "google_compute_target_https_proxy" "edge" {
  count = local.has_edge ? 1 : 0

  name             = "leaderboard-edge"
  url_map          = google_compute_url_map.edge[0].id
  ssl_certificates = [google_compute_managed_ssl_certificate.edge[0].id]
}

resource "google_compute_global_address" "edge" {
  count = local.has_edge ? 1 : 0

  name       = "leaderboard-edge"
  depends_on = [google_project_service.api]
}

resource "google_compute_global_forwarding_rule" "edge" {
  count = local.has_edge ? 1 : 0

  name                  = "leaderboard-edge"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  target                = google_compute_target_https_proxy.edge[0].id
  ip_address            = google_compute_global_address.edge[0].id
  port_range            = "443"
}
