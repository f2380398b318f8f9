"""For each cause: what to say first, and what to look at first."""

from typing import Final

LEADS: Final = {
    "db_slow": "Calls to {dependency} themselves take longer, not only the waiting for them.",
    "upstream_5xx": "{dependency} answers, but with errors.",
    "upstream_timeout": "Calls to {dependency} take too long.",
    "upstream_throttle": "{dependency} says that we call too often.",
    "upstream_down": "No connection to {dependency} can be made.",
    "bad_deploy": "The failures began with the newest version.",
    "app_exception": "{route} fails by itself; nothing outside explains it.",
    "memory_leak": "The process takes more and more memory.",
    "cpu_hog": "Far more processor time is used than this traffic needs.",
    "loop_block": "Something in async code waits without giving way, and uses no processor.",
    "pool_exhaustion": "Requests wait for a connection of {dependency}, not for its answers.",
    "disk_full": "Writing fails for lack of space.",
    "traffic_surge": "Requests to existing routes have multiplied.",
    "scanner_4xx": "The service itself may be well.",
    "auth_break": "{route} turns away requests that it used to accept.",
    "no_traffic": "The process itself is up; what stands in front of it may not be.",
    "certificate_or_dns": "The name of {dependency} cannot be resolved, or its certificate is refused.",
}
"""Said after the cause's label, so they add to it and do not repeat it."""

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


_DEFAULT: Final = {"db_slow": "the database", "pool_exhaustion": "the database"}


def lead(cause: str, route: str | None, dependency: str | None) -> str:
    return _fill(LEADS[cause], route, dependency or _DEFAULT.get(cause))


def check_first(cause: str, route: str | None, dependency: str | None) -> str:
    return _fill(CHECKS[cause], route, dependency or _DEFAULT.get(cause))


def _fill(template: str, route: str | None, dependency: str | None) -> str:
    # replace, not format: names come from the application and may contain braces.
    filled = template.replace("{dependency}", dependency or "an outside service")
    filled = filled.replace("{route}", route or "some routes")
    # A name keeps its case, also at the beginning of a sentence.
    named = (dependency or route) and template.startswith("{")
    return filled if named else filled[:1].upper() + filled[1:]
