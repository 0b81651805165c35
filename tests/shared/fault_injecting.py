"""An engine that is wrong about bundles, for what must find it out."""

from dataclasses import replace

from mev_dagster.evm.py_evm.engine import PyEvmEngine


class FaultInjectingEngine(PyEvmEngine):
    """The reference, but that it adds a wei to what the coinbase gets whenever a bundle is tried."""

    name = "fault_injecting"

    def session(self, *arguments, **options):
        session = super().session(*arguments, **options)
        honest = session.run

        def run(txs):
            result = honest(txs)
            if len(txs) == 1:
                return result
            last = replace(result.txs[-1], coinbase_payment_wei=result.txs[-1].coinbase_payment_wei + 1)
            return replace(result, txs=(*result.txs[:-1], last))

        session.run = run
        return session
