"""The scoring rules: those in force, and what others would do."""

from __future__ import annotations

from pydantic import ValidationError

from functions.api.boards import board_named
from functions.api.config_schemas import (
    Preview,
    PreviewAnswer,
    PreviewMeta,
    PreviewResult,
    RulesAnswer,
    RulesInForce,
    RulesMeta,
    moved,
    summary,
)
from functions.api.links import here
from functions.api.parsing import rejected
from functions.api.resource import Call, Reply, Resource
from shared import rule_sets
from shared.errors import NotFound, Rejected, RetryLater
from shared.models import Kind
from shared.scoring import RuleSet
from shared.what_if import compare

resource = Resource("config")


@resource.operation("GET", "/api/v1/config/scoring")
def show_scoring_rules(call: Call) -> Reply[RulesAnswer]:
    """The rule set in force."""
    current = rule_sets.current(call.services)
    data = RulesInForce(version=current.version, digest=current.rules.digest, rules=current.rules)
    return Reply(RulesAnswer(data=data, meta=RulesMeta(kinds=list(Kind)), links=here()))


@resource.operation(
    "POST",
    "/api/v1/config/scoring/preview",
    reads_warehouse=True,
    errors=(NotFound, RetryLater),
)
def preview_scoring_rules(call: Call, body: Preview) -> Reply[PreviewAnswer]:
    """Who would move under other rules, and through which kind.

    The published board is scored anew by the rules in force and by yours. Nothing is published.
    """
    services = call.services
    call.allow_warehouse()
    current = rule_sets.current(services)
    wanted = _wanted(body, current.rules)
    board = board_named(call, body.board, "board")
    repo_ids = [r.github_id for r in board.repositories(services) if r.github_id is not None]
    compared = compare(
        services,
        board.id,
        body.window,
        body.account_class,
        repo_ids,
        (current.rules, wanted),
    )
    data = PreviewResult(
        summary=summary(compared),
        movers=[moved(mover) for mover in compared.movers()[: body.limit]],
        rules=wanted,
    )
    meta = PreviewMeta(
        board=board.name,
        window=body.window,
        account_class=body.account_class,
        generation=compared.head.generation,
        as_of=compared.head.as_of,
        rule_version=current.version,
        digest_before=current.rules.digest,
        digest_after=wanted.digest,
        limit=body.limit,
    )
    return Reply(PreviewAnswer(data=data, meta=meta, links=here()))


def _wanted(body: Preview, current: RuleSet) -> RuleSet:
    if (body.changes is None) == (body.rules is None):
        raise Rejected(
            "Say what to try: either changes, with what differs from the rules in force, or rules, "
            'with a whole rule set. For example {"changes": {"points": {"COMMENT": 1}}}.',
            details={"field": "changes"},
        )
    if body.changes is None:
        assert body.rules is not None  # noqa: S101 - one of the two is there
        return body.rules
    try:
        return RuleSet.model_validate(body.changes.merged_over(current))
    except ValidationError as error:
        raise rejected(error, within="changes") from error
