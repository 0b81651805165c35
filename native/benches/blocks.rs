//! The peer of `mev bench evm`: revm called from Rust, with its own cache database, on the same prestate.
//!
//! Reads a block that `mev_dagster/bench/revm_peer.py` packed, executes its transactions some rounds, each
//! from a fresh copy of the state, and prints the seconds of every round and the gas of one as JSON.

#[path = "../src/wire.rs"]
#[allow(dead_code)]
mod wire;
#[path = "../src/world.rs"]
#[allow(dead_code)]
mod world;

use revm::context::result::ResultGas;
use revm::context::{BlockEnv, CfgEnv, Context, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::database::{CacheDB, EmptyDB};
use revm::handler::{ExecuteCommitEvm, MainBuilder};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{KECCAK_EMPTY, U256};
use revm::state::AccountInfo;

use crate::wire::{Malformed, Reader, Tx};
use crate::world::{World, warm_code};

struct Packed {
    spec: SpecId,
    chain_id: u64,
    env: BlockEnv,
    world: World,
    txs: Vec<TxEnv>,
}

fn read(bytes: &[u8]) -> Result<Packed, Malformed> {
    let mut reader = Reader::new(bytes);
    let size = reader.u32()?;
    let name = std::str::from_utf8(reader.take(size)?).map_err(|_| Malformed("the fork's name"))?;
    let spec: SpecId = name.parse().map_err(|_| Malformed("no such fork"))?;
    let chain_id = reader.u64()?;
    let env = BlockEnv {
        number: U256::from(reader.u64()?),
        timestamp: U256::from(reader.u64()?),
        beneficiary: reader.address()?,
        gas_limit: reader.u64()?,
        basefee: reader.u64()?,
        difficulty: reader.u256()?,
        prevrandao: Some(reader.b256()?),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
            excess_blob_gas: 0,
            blob_gasprice: reader.u256()?.saturating_to(),
        }),
        slot_num: reader.u64()?,
    };
    let mut world = World::default();
    let size = reader.u32()?;
    world.take_accounts(reader.take(size)?)?;
    for _ in 0..reader.u32()? {
        let hash = reader.b256()?;
        let size = reader.u32()?;
        let code = warm_code(hash, reader.take(size)?).ok_or(Malformed("a code of another hash"))?;
        world.codes.insert(hash, code);
    }
    for _ in 0..reader.u32()? {
        world.block_hashes.insert(reader.u64()?, reader.b256()?);
    }
    let mut txs = Vec::new();
    for _ in 0..reader.u32()? {
        let size = reader.u32()?;
        txs.push(Tx::read(reader.take(size)?)?.env);
    }
    Ok(Packed { spec, chain_id, env, world, txs })
}

fn database(world: &World) -> CacheDB<EmptyDB> {
    let mut database = CacheDB::new(EmptyDB::default());
    for (address, known) in world.accounts.iter().filter(|(_, known)| known.head.exists) {
        let code_hash = known.head.code_hash;
        let code = (code_hash != KECCAK_EMPTY).then(|| world.codes.get(&code_hash).cloned()).flatten();
        let info = AccountInfo {
            balance: known.head.balance,
            nonce: known.head.nonce,
            code_hash,
            code,
            ..AccountInfo::default()
        };
        database.insert_account_info(*address, info);
        for (slot, value) in &known.storage {
            database.insert_account_storage(*address, *slot, *value).expect("a cache does not fail");
        }
    }
    for (number, hash) in &world.block_hashes {
        database.cache.block_hashes.insert(U256::from(*number), *hash);
    }
    database
}

/// The time this thread has had on a core: what others do on it meanwhile does not count.
fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes the struct it is given, which outlives it.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "every Linux has this clock");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn round(packed: &Packed, full: &CacheDB<EmptyDB>) -> (f64, u64) {
    let mut database = full.clone();
    let mut cfg = CfgEnv::new_with_spec(packed.spec);
    cfg.chain_id = packed.chain_id;
    cfg.max_blobs_per_tx = None;
    let txs = packed.txs.clone();
    let started = cpu_seconds();
    let mut evm = Context::<BlockEnv, TxEnv, CfgEnv, _, revm::Journal<_>, ()>::new(&mut database, packed.spec)
        .with_cfg(cfg)
        .with_block(packed.env.clone())
        .build_mainnet();
    let mut gas = 0;
    for tx in txs {
        let result = evm.transact_commit(tx).expect("a mined transaction is valid");
        gas += ResultGas::tx_gas_used(result.gas());
    }
    (cpu_seconds() - started, gas)
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(path), Some(rounds)) = (arguments.next(), arguments.next()) else {
        println!("usage: blocks PACKED ROUNDS");
        return;
    };
    let bytes = std::fs::read(&path).expect("the packed block can be read");
    let packed = read(&bytes).unwrap_or_else(|malformed| panic!("{path}: {}", malformed.0));
    let full = database(&packed.world);
    let rounds: usize = rounds.parse().expect("rounds is a number");
    let found: Vec<_> = (0..rounds).map(|_| round(&packed, &full)).collect();
    let seconds: Vec<_> = found.iter().map(|(seconds, _)| format!("{seconds:.9}")).collect();
    let gas = found.first().map_or(0, |(_, gas)| *gas);
    println!("{{\"seconds\":[{}],\"gas\":{gas}}}", seconds.join(","));
}
