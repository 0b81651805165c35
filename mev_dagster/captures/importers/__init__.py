"""From other people's files to captures: block files, JSON-RPC answers, mempool archives, era1.

Every importer streams, takes a checkpoint now and then and goes on there when it is run again after an
interruption, counts what it has to refuse by reason, and calls `on_progress(done, total, detail)`.
"""

from mev_dagster.captures.importers.choose import Format, import_files
from mev_dagster.captures.importers.era1 import import_era1
from mev_dagster.captures.importers.mempool_dumpster import import_mempool_dumpster
from mev_dagster.captures.importers.prestate_files import (
    PrestateFile,
    block_files,
    import_blocks_prestate,
    read_block_file,
    read_codes,
)
from mev_dagster.captures.importers.rpc_answers import import_rpc_answers
from mev_dagster.captures.importers.session import ImportReport, read_json

__all__ = [
    "Format",
    "ImportReport",
    "PrestateFile",
    "block_files",
    "import_blocks_prestate",
    "import_era1",
    "import_files",
    "import_mempool_dumpster",
    "import_rpc_answers",
    "read_block_file",
    "read_codes",
    "read_json",
]
