"""The scoring rules: those in force, and what others would do."""

from __future__ import annotations

from pydantic import ValidationError

from functions.api.access import ADMIN
from functions.api.boards import board_named
from functions.api.config_schemas import (
    NewRules,
    Preview,
    PreviewAnswer,
    PreviewMeta,
    PreviewResult,
    Restoration,
    RulesAnswer,
    RulesInForce,
    RulesMeta,
    RulesQuery,
    RulesVersion,
    moved,
    summary,
)
from functions.api.links import here
from functions.api.parsing import rejected
from functions.api.resource import Call, Reply, Resource
from shared import rule_sets
from shared.errors import Conflict, NotFound, Rejected, RetryLater
from shared.models import Kind
from shared.rule_sets import Versioned
from shared.scoring import RuleSet
from shared.what_if import compare

resource = Resource("config")


@resource.operation("GET", "/api/v1/config/scoring", errors=(NotFound, RetryLater))
def show_scoring_rules(call: Call, query: RulesQuery) -> Reply[RulesAnswer]:
    """The rule set in force, or one that was, and who changed them when."""
    services, wanted = call.services, query.version
    found = rule_sets.current(services)
    return _rules(call, found if wanted is None else rule_sets.version(services, wanted))


@resource.operation(
    "PUT", "/api/v1/config/scoring", scope=ADMIN, errors=(NotFound, Conflict, RetryLater)
)
def set_scoring_rules(call: Call, body: NewRules) -> Reply[RulesAnswer]:
    """Put a whole rule set in force. All boards are made anew by it."""
    return _rules(call, rule_sets.change(call.services, call.caller, body.rules, seen=body.version))


@resource.operation(
    "POST",
    "/api/v1/config/scoring/rollback",
    scope=ADMIN,
    errors=(NotFound, Conflict, RetryLater),
)
def restore_scoring_rules(call: Call, body: Restoration) -> Reply[RulesAnswer]:
    """Go back to the rules of a former version, which are then a new one."""
    return _rules(call, rule_sets.restore(call.services, call.caller, body.version))


def _rules(call: Call, found: Versioned) -> Reply[RulesAnswer]:
    data = RulesInForce(version=found.version, digest=found.rules.digest, rules=found.rules)
    meta = RulesMeta(
        kinds=list(Kind),
        stored=rule_sets.stored(call.services),
        history=[
            RulesVersion(
                version=each.version,
                digest=each.rules.digest,
                changed_at=each.changed_at,
                changed_by=each.changed_by,
                restores=each.restores,
            )
            for each in rule_sets.history(call.services)
        ],
    )
    return Reply(RulesAnswer(data=data, meta=meta, links=here()))


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
