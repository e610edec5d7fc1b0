"""The types that the Elastic Common Schema gives the fields that may be in our logs, copied by hand from its pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_BY_TYPE: Final[Mapping[str, str]] = {
    "keyword": """
        ecs.version tags
        event.id event.kind event.module event.dataset event.category event.type event.action event.outcome event.code
        event.reason event.hash event.provider event.original event.url event.timezone event.agent_id_status
        user.id user.name user.hash user.email user.full_name user.domain user.target.id user.target.name related.user
        related.hash related.hosts group.id group.name group.domain
        source.domain source.address source.geo.continent_name source.geo.country_iso_code source.geo.country_name
        source.geo.region_name source.geo.city_name source.as.organization.name client.domain client.address
        url.domain url.path url.scheme user_agent.name user_agent.version user_agent.original user_agent.device.name
        user_agent.os.name user_agent.os.version user_agent.os.full
        log.level log.logger log.origin.file.name log.origin.function process.name process.thread.name
        host.name host.hostname host.id service.id service.name service.type service.version service.environment
        service.node.name error.type error.code error.id trace.id span.id transaction.id agent.name agent.version
    """,
    "date": "@timestamp event.created event.ingested event.start event.end process.start",
    "long": "event.sequence event.duration event.severity process.pid process.thread.id log.origin.file.line "
    "source.port source.bytes client.port host.uptime process.parent.pid source.as.number",
    "ip": "source.ip client.ip related.ip host.ip",
    "geo_point": "source.geo.location client.geo.location",
    "match_only_text": "message error.message",
    "wildcard": "error.stack_trace url.full url.original",
    "constant_keyword": "data_stream.type data_stream.dataset data_stream.namespace",
}
ECS_TYPES: Final[Mapping[str, str]] = {field: kind for kind, text in _BY_TYPE.items() for field in text.split()}
"""Each field's type by its dotted name."""
ECS_ROOTS: Final = frozenset(field.partition(".")[0] for field in ECS_TYPES)
"""The first parts of those names: what begins so belongs to the schema."""
