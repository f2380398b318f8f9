"""For each cause: what to say first, and what to look at first."""

from typing import Final

LEADS: Final = {
    "db_slow": "{dependency} is slow: the calls themselves take longer than usual.",
    "upstream_5xx": "{dependency} answers with errors.",
    "upstream_timeout": "{dependency} does not answer in time.",
    "upstream_throttle": "{dependency} refuses calls because there are too many.",
    "upstream_down": "{dependency} cannot be reached.",
    "bad_deploy": "The new version is faulty: the failures began with it.",
    "app_exception": "The application's own code fails on {route}.",
    "memory_leak": "The process keeps taking more memory.",
    "cpu_hog": "Something keeps the processor busy beyond what the traffic needs.",
    "loop_block": "Something blocks the event loop without using the processor.",
    "pool_exhaustion": "Connections are used up: requests wait for one of {dependency}.",
    "disk_full": "The disk is full: writing fails.",
    "traffic_surge": "Far more requests than usual arrive.",
    "scanner_4xx": "Somebody asks for paths that do not exist; the service itself may be well.",
    "auth_break": "Requests are refused for their credentials on {route}.",
    "no_traffic": "No requests arrive; the process itself is up.",
    "certificate_or_dns": "{dependency} cannot be reached safely: its name or certificate fails.",
}

CHECKS: Final = {
    "db_slow": "Look at the running queries of {dependency}: locks, a missing index, another heavy user.",
    "upstream_5xx": "Look at the status page of {dependency}; can calls to it be skipped for now?",
    "upstream_timeout": "Look at the status page of {dependency}, the network to it, and our time-out.",
    "upstream_throttle": "Look at the quota of {dependency} and at who calls it more than before.",
    "upstream_down": "Is {dependency} running, and is its address and port right?",
    "bad_deploy": "Compare with the version before; going back to it is the safe way.",
    "app_exception": "Read the newest exception of {route} and the line it names.",
    "memory_leak": "What is kept per request? A restart buys time; take a memory snapshot before it.",
    "cpu_hog": "Take a profile of the process (py-spy top) and look for the busy function.",
    "loop_block": "Take a stack dump (py-spy dump) and look for a blocking call in async code.",
    "pool_exhaustion": "Which sessions keep connections of {dependency}? Recycling the pool frees them.",
    "disk_full": "Look at the free space (df -h, df -i) and at the largest log and temporary files.",
    "traffic_surge": "Who sends the requests, and are they wanted? Then add workers or limit the rate.",
    "scanner_4xx": "Block or limit the busiest client at the proxy; did any of its requests succeed?",
    "auth_break": "Did a key, a certificate or the clock of the login service change?",
    "no_traffic": "Look at what stands in front: load balancer, DNS record, firewall, the callers.",
    "certificate_or_dns": "Look at the certificate's dates at {dependency}, and resolve its name here.",
    "unclear": "Look at the slowest or most failing route, and at the newest exception in the log.",
}


def lead(cause: str, route: str | None, dependency: str | None) -> str:
    return _fill(LEADS[cause], route, dependency)


def check_first(cause: str, route: str | None, dependency: str | None) -> str:
    return _fill(CHECKS[cause], route, dependency)


def _fill(template: str, route: str | None, dependency: str | None) -> str:
    # replace, not format: names come from the application and may contain braces.
    filled = template.replace("{dependency}", dependency or "an outside service")
    filled = filled.replace("{route}", route or "some routes")
    return filled[:1].upper() + filled[1:]
