"""Everything an owner can set, with its unit and default. ``infra/environment.py`` fills it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Event = Literal[
    "job_failed",
    "pipeline_failed",
    "export_ready",
    "budget_warning",
    "weekly_movers",
    "auth_failures",
    "audit_not_intact",
]
"""What can be told outside; ``shared/notices.py`` does."""


class Settings(BaseModel):
    """Read once at start. Each field is the environment variable of the same name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: Literal["local", "gcp"] = Field(
        default="local", description="local: everything on this machine; gcp: Google Cloud"
    )
    data_dir: Path = Field(
        default=Path(".data"), description="where the embedded backend keeps all"
    )
    host: str = Field(default="127.0.0.1", description="address the server listens on")
    port: int = Field(default=8080, ge=0, le=65535, description="port the server listens on")
    workers: int = Field(
        default=1, ge=1, le=64, description="processes of the embedded server that answer requests"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    log_format: Literal["json", "console"] = "console"
    log_file: Path | None = Field(
        default=None, description="file that JSON logs are added to, in place of standard error"
    )

    otlp_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="where measurements and traces are pushed to by OTLP over HTTP; unset: nowhere",
    )
    otlp_headers: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+=[!-~ ]+$")], ...] = Field(
        default=(), repr=False, description="headers, NAME=VALUE, that are sent along"
    )
    otlp_traces: float = Field(
        default=1.0, ge=0, le=1, description="share of traces that are recorded"
    )
    sentry_dsn: str | None = Field(
        default=None,
        pattern=r"^https?://[^@/\s]+@[^/\s]+/(\S+/)?\d+$",
        repr=False,
        description="where unexpected errors are reported; unset: in the log only",
    )
    telemetry_every_seconds: float = Field(
        default=5.0, ge=0, le=3600, description="time between two pushes; 0: after every request"
    )
    telemetry_timeout_seconds: float = Field(
        default=0.5, gt=0, le=30, description="the most that a push may delay a request"
    )

    archive_url: str = Field(
        default="https://data.gharchive.org", description="where archive hours are fetched from"
    )
    retry_seconds: tuple[int, ...] = Field(
        default=(60, 120, 240), description="waits before the attempts of a failed job step"
    )
    lease_seconds: int = Field(
        default=330, ge=1, description="how long a step may run before it counts as lost"
    )
    settle_seconds: float = Field(
        default=2.0, ge=0, description="changes within this time share one global recalculation"
    )
    keep_generations: int = Field(default=5, ge=2, le=50, description="published boards kept")
    stale_after_hours: int = Field(default=24, ge=1)
    max_concurrent_scrapes: int = Field(default=3, ge=1)
    pipeline_repositories: int = Field(
        default=5, ge=1, le=50, description="scrapes that one pipeline run asks for"
    )
    pipeline_minutes: int = Field(
        default=240, ge=1, description="a pipeline run that takes longer is ended as failed"
    )
    retention_days: int = Field(
        default=90, ge=1, description="how long ended jobs, runs and settled letters are kept"
    )
    costs_days: int = Field(
        default=400,
        ge=62,
        description="how long bills and their daily sums are kept as documents; the warehouse's "
        "ledger keeps them all",
    )
    audit_days: int = Field(
        default=400, ge=30, le=36_500, description="how long sealed records of the trail are kept"
    )
    query_memory_mb: int = Field(default=320, ge=64, description="embedded warehouse, a process")

    budget_daily_usd: Decimal = Field(
        default=Decimal(5), ge=0, le=1_000_000, decimal_places=6,
        description="most that the warehouse may cost a day (UTC)",
    )  # fmt: skip
    budget_monthly_usd: Decimal = Field(
        default=Decimal(50), ge=0, le=1_000_000, decimal_places=6,
        description="most that the warehouse may cost a month (UTC)",
    )  # fmt: skip
    budget_warning_percent: int = Field(
        default=80, ge=1, le=100, description="share of a limit from which on a warning is logged"
    )
    price_per_tib_usd: Decimal | None = Field(
        default=None, ge=0, le=1_000_000, decimal_places=6,
        description="what a TiB read costs; 0: nothing is metered; unset: 6.25 on gcp, else 0",
    )  # fmt: skip
    free_tib_per_month: Decimal = Field(
        default=Decimal(0), ge=0, le=10_000, decimal_places=3,
        description="what a billing account has free and nobody else uses",
    )  # fmt: skip

    archive_scope: Literal["all", "registered"] = Field(
        default="all",
        description="whose events are kept of an archive table: with registered, the tables are "
        "read and paid anew for every repository that comes later",
    )
    history_days: int = Field(
        default=730, ge=1, le=5000, description="days of the archive that a full scrape reads"
    )
    archive_settles_hours: int = Field(
        default=2, ge=0, le=240, description="how long after a day's end its table is complete"
    )

    github_access: Literal["auto", "off"] = Field(
        default="auto",
        description="auto: with a token GitHub's API is a source, without one it is asked about "
        "repositories only (on gcp), or not at all (local); off: never asked",
    )
    github_token: str | None = Field(
        default=None, min_length=20, repr=False, description="token for GitHub's API"
    )
    github_app_id: str | None = Field(
        default=None, description="GitHub App whose installation is used in place of a token"
    )
    github_app_installation: int | None = Field(default=None, ge=1, description="its installation")
    github_app_private_key: str | None = Field(
        default=None, repr=False, description="its private key, PEM"
    )
    github_api_url: str = Field(
        default="https://api.github.com", description="address of GitHub's API"
    )
    github_url: str = Field(default="https://github.com", description="address of GitHub's pages")
    github_oauth_client_id: str | None = Field(
        default=None, description="an OAuth app, by which people may sign in to the dashboard"
    )
    github_oauth_client_secret: str | None = Field(
        default=None, repr=False, description="its secret"
    )
    source: Literal["measured", "archive", "github"] = Field(
        default="measured",
        description="measured: per repository, kind and month GitHub counts where the archive saw "
        "less than 99 %; the others: always that one",
    )
    agent_credit: Literal["author", "human", "agent"] = Field(
        default="author",
        description="who is credited for work that an AI agent had a hand in: whom GitHub names, "
        "the responsible human, or the agent; takes effect with the next scrape",
    )
    mail_secret: str | None = Field(
        default=None,
        min_length=16,
        repr=False,
        description="what e-mail addresses are hashed with; made and kept by itself where unset",
    )

    enrich_after_days: int = Field(
        default=30, ge=1, le=3650, description="age from which on a profile is read again"
    )
    enrich_top: int = Field(
        default=100, ge=1, le=1000, description="humans of each board whose profiles are read"
    )
    enrich_lookups: tuple[Literal["webfinger"], ...] = Field(
        default=(), description="what is asked about profiles besides GitHub"
    )

    session_secret: str | None = Field(
        default=None,
        min_length=16,
        repr=False,
        description="what sessions of the dashboard are signed with; made and kept by itself where "
        "unset",
    )

    export_small_bytes: int = Field(
        default=10_000_000,
        ge=0,
        le=20_000_000,
        description="files of exports up to here are made at once, larger ones by a job",
    )

    webhook_secret: str | None = Field(
        default=None,
        min_length=16,
        repr=False,
        description="what calls of /api/v1/hooks are signed with; unset means there are none",
    )
    notify_webhook_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        repr=False,
        description="where failed pipeline runs are told",
    )
    notify_webhook_secret: str | None = Field(
        default=None, min_length=16, repr=False, description="what such notices are signed with"
    )
    slack_webhook_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        repr=False,
        description="an incoming webhook of Slack, or of what takes the same, for notices",
    )
    notify_events: tuple[Event, ...] = Field(
        default=get_args(Event), description="what is told to both addresses"
    )

    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="where readers find the dashboard, for links in feeds, pictures and messages; "
        "unset: as they came, and none in messages",
    )
    avatars: bool = Field(
        default=False,
        description="pages show people's pictures, which readers' browsers then load from GitHub",
    )
    live_streams: int = Field(
        default=16,
        ge=1,
        le=500,
        description="readers of the live log that an instance serves at once",
    )
    stream_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="where the live log is streamed, if not by whoever serves the pages",
    )

    enable_enrichment: bool = Field(default=True, description="flag: profiles are read")
    enable_incremental_scrape: bool = Field(
        default=True, description="flag: a scrape reads only what is new"
    )
    enable_websocket_logs: bool = Field(
        default=True, description="flag: logs are streamed over a WebSocket"
    )
    new_scoring_algorithm: int = Field(
        default=0, ge=0, description="flag: version of the rule set that boards are made by; 0: off"
    )

    redis_url: str | None = Field(
        default=None,
        pattern=r"^(rediss?|redis\+unix|unix)://",
        repr=False,
        description="Redis in which all instances count requests together and keep parts of boards",
    )
    rate_limit_anonymous: int = Field(
        default=100, ge=0, description="requests a minute from an address without a key; 0: any"
    )
    rate_limit_key: int = Field(default=1000, ge=0, description="requests a minute with a key")
    rate_limit_burst: int = Field(default=10, ge=0, description="requests a second from either")
    rate_limit_instances: int | None = Field(
        default=None, ge=1,
        description="among how many limits are divided without Redis; unset: the most instances "
        "that are deployed on gcp, WORKERS here",
    )  # fmt: skip
    trusted_proxies: int | None = Field(
        default=None, ge=0, le=10,
        description="proxies in front whose entries of X-Forwarded-For count; unset: 1 on gcp, "
        "else 0",
    )  # fmt: skip
    auth_failures_alert: int = Field(
        default=5, ge=1, le=1000,
        description="refused keys of an address within ten minutes above which somebody is told",
    )  # fmt: skip
    cors_origins: tuple[str, ...] = Field(
        default=(), description="origins whose pages may call the API, or *; none unless set"
    )

    google_cloud_project: str | None = Field(default=None, description="project of the gcp backend")
    google_cloud_location: str = Field(
        default="us-central1", description="region of queues and functions, near the public archive"
    )
    firestore_database: str = Field(default="(default)", description="database for documents")
    bigquery_dataset: str = Field(default="leaderboard", description="dataset of the warehouse")
    bigquery_location: str = Field(
        default="US", description="where the dataset is; the public archive is in US"
    )
    archive_project: str = Field(
        default="githubarchive", description="project that publishes the archive's tables"
    )
    blobs_bucket: str | None = Field(
        default=None,
        description="bucket for files that are handed out; unset means PROJECT-leaderboard-blobs",
    )
    tasks_service_account: str | None = Field(
        default=None, description="e-mail of the account whose tokens tasks carry"
    )
    tasks_queue_prefix: str = Field(
        default="leaderboard-", description="what the names of queues begin with"
    )
    function_url: str | None = Field(
        default=None, description="address of a function, {function} in it; unset means the usual"
    )
    invoker_service_accounts: tuple[str, ...] = Field(
        default=(), description="e-mails of the accounts that may call trigger functions"
    )
    trigger_identity: Literal["iam", "token"] = Field(
        default="iam",
        description="who checks the signature of the callers' tokens: the platform, or the code",
    )
    firestore_emulator_host: str | None = Field(default=None, description="host:port, for tests")
    pubsub_emulator_host: str | None = Field(default=None, description="host:port, for tests")
    bigquery_emulator_host: str | None = Field(default=None, description="host:port, for tests")
    cloud_tasks_emulator_host: str | None = Field(default=None, description="host:port, for tests")
    storage_emulator_host: str | None = Field(default=None, description="host:port, for tests")
