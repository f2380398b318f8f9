"""The report's routes: which twenty, in which order, whatever came in."""

from hypothesis import given
from hypothesis import strategies as st
from sdk_asgi import Clock

from fastapi_alertengine import Monitor

requests = st.lists(st.tuples(st.integers(0, 39), st.sampled_from([200, 200, 404, 500])), max_size=300)


@given(requests)
def test_routes_with_errors_come_first_then_the_busiest(told):
    monitor = Monitor(now=Clock())
    seen = {}
    for number, status in told:
        monitor.record(f"/{number}", "GET", status, 0.01)
        failed, n = seen.get(f"GET /{number}", (0, 0))
        seen[f"GET /{number}"] = failed + (status == 500), n + 1
    rows = monitor.report()["routes"]
    order = sorted(seen, key=seen.__getitem__, reverse=True)
    assert [row["route"] for row in rows] == order[:20]
    assert [row["sample_size"] for row in rows] == [seen[row["route"]][1] for row in rows]
