"""What the tables beside the ledger must agree with it about: each query finds rows that do not."""

from __future__ import annotations

LOOKUPS = {
    "an incident is listed that has no events": """
        SELECT id FROM incident WHERE NOT EXISTS
            (SELECT 1 FROM event WHERE tree = tenant AND event.incident = incident.id)
    """,
    "an incident has events and is not listed": """
        SELECT DISTINCT incident FROM event WHERE tree <> '_system' AND event.incident <> '_ledger' AND NOT EXISTS
            (SELECT 1 FROM incident WHERE tenant = tree AND id = event.incident)
    """,
    "an incident is listed otherwise than its first event says": """
        SELECT id FROM incident JOIN event ON tree = tenant AND event.incident = id AND seq = 1
        WHERE (service_id, service, opened_at, is_test) IS NOT (
            json_extract(CAST(body AS TEXT), '$.data.service_id'), json_extract(CAST(body AS TEXT), '$.data.service'),
            json_extract(CAST(body AS TEXT), '$.at'), coalesce(json_extract(CAST(body AS TEXT), '$.data.is_test'), 0))
        AND instr(body, '\\u0000') = 0  -- where SQLite's JSON would end the text
    """,
    "an incident is called otherwise than its events say": """
        WITH named AS (
            SELECT tree, incident, max(seq) AS seq FROM event
            WHERE seq = 1 OR type = 'incident_changed' GROUP BY tree, incident)
        SELECT id FROM incident JOIN named ON named.tree = tenant AND named.incident = id
        JOIN event ON event.tree = tenant AND event.incident = id AND event.seq = named.seq
        WHERE (severity, title) IS NOT (
            json_extract(CAST(body AS TEXT), '$.data.severity'), json_extract(CAST(body AS TEXT), '$.data.title'))
        AND instr(body, '\\u0000') = 0
    """,
    "an incident is listed as closed against its events": """
        SELECT id FROM (
            SELECT tenant, id, closed_at FROM incident WHERE closed_at IS NOT NULL
            EXCEPT
            SELECT tree, incident, json_extract(CAST(body AS TEXT), '$.at')
            FROM event WHERE type = 'incident_resolved')
    """,
    "an incident is listed as open against its events": """
        SELECT incident FROM (
            SELECT tree, incident FROM event WHERE type = 'incident_resolved'
            EXCEPT
            SELECT tenant, id FROM incident WHERE closed_at IS NOT NULL)
    """,
    "an incident is listed as over and not closed, or closed and not over": """
        SELECT id FROM incident
        WHERE (closed_at IS NULL) = (stage = 'RESOLVED') OR (closed_at IS NOT NULL AND slot IS NOT NULL)
    """,
    "a run is listed that nobody authorized": """
        SELECT id FROM (
            SELECT tenant, incident, round, id FROM execution
            EXCEPT
            SELECT tree, incident, json_extract(CAST(body AS TEXT), '$.data.round'),
                json_extract(CAST(body AS TEXT), '$.data.execution_id')
            FROM event WHERE type = 'recovery_authorized')
    """,
    "an authorized run is not listed": """
        SELECT incident FROM (
            SELECT tree, incident, json_extract(CAST(body AS TEXT), '$.data.round'),
                json_extract(CAST(body AS TEXT), '$.data.execution_id')
            FROM event WHERE type = 'recovery_authorized'
            EXCEPT
            SELECT tenant, incident, round, id FROM execution)
    """,
}
