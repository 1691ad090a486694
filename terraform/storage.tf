# Source archives: the first by Terraform, later ones by the rollout, named by commit.
resource "google_storage_bucket" "sources" {
  name                        = "${var.project}-leaderboard-sources"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.protect_data

  versioning {
    enabled = true
  }

  # What is deployed was copied by Cloud Functions; this is for going back a few releases.
  lifecycle_rule {
    condition {
      age            = 90
      matches_prefix = ["releases/"]
    }
    action {
      type = "Delete"
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_storage_bucket_object" "initial_source" {
  name   = "initial/source.zip"
  bucket = google_storage_bucket.sources.name
  source = var.initial_source

  # Only the first one is Terraform's: another archive here must not touch the functions.
  lifecycle {
    ignore_changes = [source, detect_md5hash, source_md5hash]
  }
}

resource "google_storage_bucket" "exports" {
  name                        = "${var.project}-leaderboard-exports"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.protect_data

  dynamic "lifecycle_rule" {
    for_each = var.export_days > 0 ? [var.export_days] : []
    content {
      condition {
        age = lifecycle_rule.value
      }
      action {
        type = "Delete"
      }
    }
  }

  depends_on = [google_project_service.api]
}

# Files that are handed out by link. They expire within a day (shared/blobs.py), and nothing of them is
# wanted back.
resource "google_storage_bucket" "blobs" {
  name                        = "${var.project}-leaderboard-blobs"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    condition {
      age = 1
    }
    action {
      type = "Delete"
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_artifact_registry_repository" "images" {
  repository_id = local.deployment.image_repository
  location      = var.region
  format        = "DOCKER"
  description   = "Images that Cloud Functions builds"

  cleanup_policies {
    id     = "keep-the-newest"
    action = "KEEP"
    most_recent_versions {
      keep_count = 5
    }
  }
  cleanup_policies {
    id     = "drop-the-old"
    action = "DELETE"
    condition {
      older_than = "2592000s"
    }
  }

  depends_on = [google_project_service.api]
}
