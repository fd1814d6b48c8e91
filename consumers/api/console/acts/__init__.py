"""What people may do in the console: one file each; add one by adding it here, and the template of its form."""

from collections.abc import Mapping

from consumers.api.console.acts import approve, block, close, decline, label, lift
from consumers.api.console.kinds import Act

ACTS: Mapping[str, Act] = {
    act.name: act for act in (block.ACT, lift.ACT, label.ACT, approve.ACT, decline.ACT, close.ACT)
}
