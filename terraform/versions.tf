terraform {
  # 1.11 knows write-only arguments: generated secrets never get into the state.
  required_version = ">= 1.11, < 2.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }

  # State in a bucket of your own, so that two people never apply at once:
  #   terraform init -backend-config=bucket=PROJECT-terraform -backend-config=prefix=leaderboard
  # Without a backend block here it is kept beside these files.
}

provider "google" {
  project = var.project
  region  = var.region

  # Budgets and a few other interfaces bill their quota to the project that is named, not to the
  # one of whoever calls.
  billing_project       = var.project
  user_project_override = true

  default_labels = {
    application = "leaderboard"
    environment = var.environment
  }
}
