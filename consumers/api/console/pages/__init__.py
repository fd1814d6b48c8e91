"""The console's pages: one file each; add one by adding it here, and its template."""

from collections.abc import Mapping

from consumers.api.console.kinds import Page
from consumers.api.console.pages import audit, client, clients, decisions, episodes, health, overview

PAGES: Mapping[str, Page] = {
    page.name: page for page in (overview.PAGE, clients.PAGE, episodes.PAGE, decisions.PAGE, audit.PAGE, health.PAGE)
}
"""Those of the navigation, in its order."""
MORE: Mapping[str, Page] = {client.PAGE.name: client.PAGE}
"""Those that others lead to."""
HOME = overview.PAGE.name
