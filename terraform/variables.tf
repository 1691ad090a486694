variable "project" {
  description = "Id of the project that everything is made in. It has billing enabled."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "region" {
  description = "Region of functions, queues, schedules and buckets. Near the public archive, which is in the US."
  type        = string
  default     = "us-central1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]$", var.region))
    error_message = "A region looks like us-central1."
  }
}

variable "environment" {
  description = "Label on everything: which installation this is."
  type        = string
  default     = "production"

  validation {
    condition     = contains(["production", "staging"], var.environment)
    error_message = "The environment is production or staging."
  }
}

variable "firestore_location" {
  description = "Location of the document database, for good. Empty: the region. nam5 is in several regions and dearer."
  type        = string
  default     = ""
}

variable "bigquery_location" {
  description = "Location of the dataset, for good. A statement reads the public archive and ours together, so both are in the US."
  type        = string
  default     = "US"

  validation {
    condition     = var.bigquery_location == "US"
    error_message = "The public archive is in US; a dataset elsewhere cannot be read together with it."
  }
}

variable "functions" {
  description = "Changes to infra/deployment.json by function: memory, cpu, concurrency, instances, timeout in seconds."
  type = map(object({
    memory        = optional(string)
    cpu           = optional(string)
    concurrency   = optional(number)
    min_instances = optional(number)
    max_instances = optional(number)
    timeout       = optional(number)
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.functions) : contains(keys(local.defaults), name)])
    error_message = "There is a function in var.functions that infra/deployment.json does not name."
  }
  validation {
    condition     = alltrue([for f in values(var.functions) : can(regex("^[0-9]+(Mi|Gi)$", coalesce(f.memory, "512Mi")))])
    error_message = "Memory is given in Mi or Gi, like 512Mi."
  }
  validation {
    # A step's lease is 330 seconds (LEASE_SECONDS): a function that runs longer works on what
    # somebody else has taken over.
    condition     = alltrue([for f in values(var.functions) : coalesce(f.timeout, 60) <= 330])
    error_message = "No function may run longer than the lease of a step, 330 seconds."
  }
  validation {
    condition     = alltrue([for f in values(var.functions) : coalesce(f.concurrency, 1) == 1 || tonumber(coalesce(f.cpu, "1")) >= 1])
    error_message = "More than one request at a time needs a whole CPU."
  }
}

variable "public_api" {
  description = "Whether anybody may call the API and the dashboard. False: only members of api_callers."
  type        = bool
  default     = true
}

variable "api_callers" {
  description = "Who may call the API where it is not public, as IAM members."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setintersection(var.api_callers, ["allUsers", "allAuthenticatedUsers"])) == 0
    error_message = "Everybody is let in by public_api, not by api_callers."
  }
}

variable "log_level" {
  description = "Least severe messages that functions log."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], var.log_level)
    error_message = "The log level is DEBUG, INFO, WARNING, ERROR or CRITICAL."
  }
}

variable "otlp_endpoint" {
  description = "Collector that measurements and traces are pushed to by OTLP over HTTP, as in docs/operations.md. Empty: none."
  type        = string
  default     = ""

  validation {
    condition     = var.otlp_endpoint == "" || can(regex("^https://[^ ]+$", var.otlp_endpoint))
    error_message = "The collector is given as https://..., without /v1/metrics."
  }
}

variable "secrets_added" {
  description = "Secrets that you have added a value to by hand, so that functions start with them, for example GITHUB_TOKEN or SENTRY_DSN."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.secrets_added : !try(local.secrets[name].generated, true)])
    error_message = "Secrets that can be added by hand are those of infra/deployment.json that are not generated."
  }
}

variable "github_oauth_client_id" {
  type        = string
  default     = null
  description = "Client id of an OAuth app on GitHub, by which people may sign in to the dashboard. Its secret is GITHUB_OAUTH_CLIENT_SECRET."

  validation {
    condition     = var.github_oauth_client_id == null || contains(var.secrets_added, "GITHUB_OAUTH_CLIENT_SECRET")
    error_message = "The OAuth app needs its secret: add it to Secret Manager, and GITHUB_OAUTH_CLIENT_SECRET to secrets_added."
  }
}

variable "github_app" {
  description = "GitHub App that reads GitHub's API in place of a token: its id, and its installation."
  type        = object({ id = string, installation = number })
  default     = null

  validation {
    condition     = var.github_app == null || contains(var.secrets_added, "GITHUB_APP_PRIVATE_KEY")
    error_message = "A GitHub App needs its key: add it to the secret, and GITHUB_APP_PRIVATE_KEY to secrets_added."
  }
}

variable "secrets_generation" {
  description = "Raise it to generate the generated secrets anew."
  type        = number
  default     = 1

  validation {
    condition     = var.secrets_generation >= 1 && floor(var.secrets_generation) == var.secrets_generation
    error_message = "The generation is a whole number from 1."
  }
}

variable "protect_data" {
  description = "Refuse to delete the database, the tables and the buckets. Set to false, and apply, before tear-down."
  type        = bool
  default     = true
}

variable "archive_partition_days" {
  description = "Days after which a day of extracted archive events is dropped. The boards keep two years."
  type        = number
  default     = 760

  validation {
    condition     = var.archive_partition_days >= 735
    error_message = "Boards cover 730 days and one day of overlap; less than 735 would drop facts in use."
  }
}

variable "backup_days" {
  description = "How long daily backups of the document database are kept."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 98
    error_message = "Firestore keeps backups for 1 to 98 days."
  }
}

variable "export_days" {
  description = "How long weekly exports of the document database are kept in the bucket. 0: no exports."
  type        = number
  default     = 60

  validation {
    condition     = var.export_days >= 0
    error_message = "The number of days is not negative."
  }
}

variable "budget_daily_usd" {
  description = "Most that BigQuery may cost a day; enforced by the functions before each statement."
  type        = number
  default     = 5

  validation {
    condition     = var.budget_daily_usd >= 0
    error_message = "A limit is not negative."
  }
}

variable "budget_monthly_usd" {
  description = "Most that BigQuery may cost a month; enforced by the functions before each statement."
  type        = number
  default     = 50

  validation {
    condition     = var.budget_monthly_usd >= var.budget_daily_usd
    error_message = "The limit of a month is at least that of a day."
  }
}

variable "budget_warning_percent" {
  description = "Share of a limit from which on the functions warn."
  type        = number
  default     = 80

  validation {
    condition     = var.budget_warning_percent >= 1 && var.budget_warning_percent <= 100
    error_message = "A share is 1 to 100 percent."
  }
}

variable "billing_account" {
  description = "Billing account for an alert on the project's whole bill. Empty: none."
  type        = string
  default     = ""

  validation {
    condition     = var.billing_account == "" || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "A billing account looks like 012345-6789AB-CDEF01."
  }
}

variable "billing_alert_usd" {
  description = "Monthly sum of the whole bill (functions, storage, BigQuery) that the billing alert measures against. It warns and stops nothing."
  type        = number
  default     = 75

  validation {
    condition     = var.billing_alert_usd > 0 && floor(var.billing_alert_usd) == var.billing_alert_usd
    error_message = "The sum is a whole number of dollars."
  }
}

variable "alert_emails" {
  description = "Who is told of alerts."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for email in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+$", email))])
    error_message = "An e-mail address has one @ and no spaces."
  }
}

variable "alert_thresholds" {
  description = "From where on alerts fire: failed scrapes an hour, seconds of the slowest 5 % of answers, share of answers that are server errors, tasks waiting in a queue."
  type = object({
    scrape_failures = optional(number, 3)
    latency_seconds = optional(number, 2)
    error_share     = optional(number, 0.02)
    queue_depth     = optional(number, 500)
  })
  default = {}
}

variable "domain" {
  description = "Name under which a load balancer with CDN and Cloud Armor serves the API. Empty: none; the function's own address is used."
  type        = string
  default     = ""

  validation {
    condition     = var.domain == "" || can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.domain))
    error_message = "A domain looks like board.example.org."
  }
}

variable "edge_requests_per_minute" {
  description = "Requests a minute from one address that Cloud Armor lets through."
  type        = number
  default     = 600
}

variable "deployers" {
  description = "Who may roll out new source and move traffic, as IAM members: the build accounts of another project, or people."
  type        = set(string)
  default     = []
}

variable "repository" {
  description = "Connected repository (projects/P/locations/L/connections/C/repositories/R) that pushes to main are built from. Empty: no build triggers."
  type        = string
  default     = ""

  validation {
    condition     = var.repository == "" || can(regex("^projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+$", var.repository))
    error_message = "The repository is the full name of one connected to Cloud Build (2nd generation)."
  }
  validation {
    condition     = var.repository == "" || var.staging_project != ""
    error_message = "Builds are tried in a staging project first: set staging_project."
  }
}

variable "staging_project" {
  description = "Project that builds are tried in before they may be released here."
  type        = string
  default     = ""
}

variable "initial_source" {
  description = "Archive of the source that functions are first made from, by `make package`. Later source comes from the rollout."
  type        = string
  default     = "../build/source.zip"
}
