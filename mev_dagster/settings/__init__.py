"""What a process may be told from outside, in sections, one a room: `settings().store.port`.

Flags come first, then the environment (`MEV_STORE_PORT`), then `.env`, then the profile file (`mev.toml`, or
what `--profile` or `MEV_PROFILE` names), then the defaults. An unknown name is refused with the nearest known
one. Paths are relative to the working directory until resolved. `docs/settings.md` lists every name.
"""

from mev_dagster.settings.items import LaneItem, ProviderItem, RelayItem, StrategyItem
from mev_dagster.settings.settings import Settings, process_profile, settings

__all__ = ["LaneItem", "ProviderItem", "RelayItem", "Settings", "StrategyItem", "process_profile", "settings"]
