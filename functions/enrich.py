"""Profiles: Cloud Tasks reads one, Cloud Scheduler asks for those of the top of every board."""

from __future__ import annotations

import functions_framework
from flask import Request

from functions import edge
from shared import enrichment_rounds, enrichment_steps
from shared.context import Services
from shared.ports import Task


@functions_framework.http
def enrich_contributor(request: Request) -> tuple[str, int]:
    """Read the public profile of one contributor."""
    return edge.task(request, step)


@functions_framework.http
def batch_enrich_top_contributors(request: Request) -> tuple[str, int]:
    """Ask for the profiles of a slice of those at the top; the next is a task."""
    return edge.task(request, ask)


def step(services: Services, delivery: edge.Delivery) -> None:
    """One delivery of an enrichment's task."""
    body = delivery.body
    enrichment_steps.enrich(services, body["enrichment"], body["dispatch"], delivery.name)


def ask(services: Services, delivery: edge.Delivery) -> None:
    """One delivery: of a set time, which begins a round, or of a round's next slice."""
    body = delivery.body
    round_ = body.get("round") or edge.round_of(services, "enrich", delivery)
    number = int(body.get("slice", 0))
    sliced = enrichment_rounds.ask_slice(services, body.get("after"), int(body.get("asked", 0)))
    if sliced.cursor is not None:
        services.tasks.add(
            Task(
                name=f"{round_}-slice-{number + 1}",
                function="batch_enrich_top_contributors",
                body={
                    "round": round_,
                    "slice": number + 1,
                    "after": sliced.cursor,
                    "asked": sliced.asked,
                },
                queue="bulk",
            )
        )
