"""Names of routes: the whole template of what a request matched, mounts and prefixes included."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from .cells import METHODS, UNMATCHED, Cell, Cells

Scope = MutableMapping[str, Any]
UNEXPLAINED = "/{mount}"
REMEMBERED = 4096  # routes; forgotten all at once, then learnt again
PATHS = 512  # paths of mounts, which hold what clients wrote: few, and none that is long
LONG = 200


class Routes:
    """Finds the cell of a finished request; after the first one of a route without any search."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self.app: Any = None  # the outermost app, from which mounts are looked up
        self._known: dict[str, dict[int, tuple[Cell, Any]]] = {}
        self._prefixes: dict[str, str] = {}
        self._leaves: dict[int, list[Any]] = {}
        self._mounted: dict[tuple[int, str, str], tuple[Cell, Any]] = {}

    def cell(self, scope: Scope, status: int) -> Cell:
        """The cell of a request whose `scope` the app has filled in; `status` as answered."""
        told = scope.get("fastapi")
        route = (told and told.get("effective_route_context")) or scope.get("route")
        if "app_root_path" in scope or route is None or status == 405:
            return self._rare(scope, route, status)
        try:
            return self._known[scope["method"]][id(route)][0]
        except KeyError:
            return self._first(scope, route)

    def _first(self, scope: Scope, route: Any) -> Cell:
        cell = self._cells.get(_template(route), scope["method"])
        known = self._known.setdefault(_method(scope), {})
        if len(known) >= REMEMBERED:
            known.clear()
        known[id(route)] = (cell, route)  # the route is kept, so that its id stays its own
        return cell

    def _rare(self, scope: Scope, route: Any, status: int) -> Cell:
        """Mounted, unmatched, and what older Starlette does not tell."""
        endpoint = scope.get("endpoint")
        if status == 405 or endpoint is None or (route is None and hasattr(endpoint, "routes")):
            return self._cells.unmatched
        if route is None:
            route = self._search(scope)
        if hasattr(getattr(route, "app", None), "routes") and hasattr(route, "path_format"):
            return self._cells.unmatched  # a mount was the last match: nothing inside it was
        prefix = self._prefix(scope)
        key = (id(route), _method(scope), prefix)
        known = self._mounted.get(key)
        if known is None:
            if len(self._mounted) >= REMEMBERED:
                self._mounted.clear()
            path = "" if prefix and _is_mount(route) else _template(route)
            known = self._cells.get(prefix + path, scope["method"]), route
            self._mounted[key] = known
        return known[0]

    def _prefix(self, scope: Scope) -> str:
        """The template of the mounts above, `/shops/{shop}` for `/shops/7`."""
        if "app_root_path" not in scope:
            return ""
        mounted = str(scope.get("root_path", ""))[len(scope["app_root_path"]) :]
        found = self._prefixes.get(mounted)
        if found is None:
            found = _mount_template(getattr(self.app, "routes", []), mounted)
            if len(self._prefixes) >= PATHS:
                self._prefixes.clear()
            if len(mounted) <= LONG:
                self._prefixes[mounted] = found
        return found

    def _search(self, scope: Scope) -> Any:
        """Older Starlette tells the endpoint alone; where routes share one, the path decides."""
        endpoint = scope["endpoint"]
        if id(endpoint) not in self._leaves:
            self._leaves = {}
            _gather(getattr(self.app, "routes", None) or [], self._leaves)
        candidates = self._leaves.get(id(endpoint), [])
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        path, root = str(scope["path"]), str(scope.get("root_path", ""))
        rest = path[len(root) :] if root and path.startswith(root) else path
        return next((route for route in candidates if route.path_regex.match(rest)), None)


def _gather(routes: Any, leaves: dict[int, list[Any]]) -> None:
    """All routes by the id of their endpoint, those below mounts too."""
    for route in routes:
        endpoint = getattr(route, "endpoint", None) or getattr(route, "app", None)
        if endpoint is not None and hasattr(route, "path_regex"):
            leaves.setdefault(id(endpoint), []).append(route)
        _gather(getattr(route, "routes", None) or [], leaves)


def _method(scope: Scope) -> str:
    """Clients may make up as many methods as they like."""
    method: str = scope["method"]
    return method if method in METHODS else ""


def _is_mount(route: Any) -> bool:
    return hasattr(route, "app") and not hasattr(route, "endpoint")


def _template(route: Any) -> str:
    path = getattr(route, "path", None)
    return path if isinstance(path, str) else UNMATCHED


def _mount_template(routes: Any, mounted: str) -> str:
    """Walk down the mounts that lead to the path `mounted`; what none explains may hold ids and is not told."""
    told = ""
    while mounted:
        step = next((found for route in routes if (found := _mount_step(route, mounted))), None)
        if step is None:
            return told + UNEXPLAINED
        path, mounted, routes = step
        told += path
    return told


def _mount_step(route: Any, mounted: str) -> tuple[str, str, Any] | None:
    regex = getattr(route, "path_regex", None)
    if regex is None or not _is_mount(route):
        return None
    match = regex.match(mounted + "/")
    if not match or not route.path:
        return None
    rest = match.groupdict().get("path", "")
    depth = len(mounted) + 1 - len(rest) - 1
    return route.path, mounted[depth:].rstrip("/"), getattr(route, "routes", [])
