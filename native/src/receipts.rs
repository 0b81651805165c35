//! Receipts of a block that is being built, and the root that its header commits to.

use revm::context::result::{ExecutionResult, HaltReason};
use revm::primitives::{B256, Log, keccak256};

use crate::rlp::{list, put_bytes, trimmed};
use crate::trie::{EMPTY_ROOT, compact};

const BLOOM_BYTES: usize = 256;

/// Return a receipt as the trie holds it (EIP-2718, EIP-658).
pub fn encode(tx_type: u8, cumulative_gas: u64, result: &ExecutionResult<HaltReason>) -> Vec<u8> {
    let mut logs = Vec::new();
    let mut bloom = [0; BLOOM_BYTES];
    for log in result.logs() {
        note(&mut bloom, log.address.as_slice());
        log.topics().iter().for_each(|topic| note(&mut bloom, topic.as_slice()));
        logs.extend(encode_log(log));
    }
    let mut fields = Vec::with_capacity(BLOOM_BYTES + logs.len() + 16);
    put_bytes(&mut fields, if result.is_success() { &[1] } else { &[] });
    put_bytes(&mut fields, trimmed(&cumulative_gas.to_be_bytes()));
    put_bytes(&mut fields, &bloom);
    fields.extend(list(&logs));
    let mut receipt = list(&fields);
    if tx_type > 0 {
        receipt.insert(0, tx_type);
    }
    receipt
}

/// Set the three bits of a log's address or topic (Yellow Paper, section 4.3.1).
fn note(bloom: &mut [u8; BLOOM_BYTES], item: &[u8]) {
    let hash = keccak256(item);
    for pair in hash[..6].chunks_exact(2) {
        let bit = usize::from(u16::from_be_bytes([pair[0], pair[1]])) % (BLOOM_BYTES * 8);
        bloom[BLOOM_BYTES - 1 - bit / 8] |= 1 << (bit % 8);
    }
}

fn encode_log(log: &Log) -> Vec<u8> {
    let mut topics = Vec::new();
    log.topics().iter().for_each(|topic| put_bytes(&mut topics, topic.as_slice()));
    let mut fields = Vec::new();
    put_bytes(&mut fields, log.address.as_slice());
    fields.extend(list(&topics));
    put_bytes(&mut fields, &log.data.data);
    list(&fields)
}

/// Return the root of the trie that holds the items under the RLP of their positions.
pub fn ordered_root(items: &[Vec<u8>]) -> B256 {
    if items.is_empty() {
        return EMPTY_ROOT;
    }
    let mut entries: Vec<_> = items.iter().enumerate().map(|(index, item)| (path_of(index), item)).collect();
    entries.sort_unstable();
    keccak256(node(&entries, 0))
}

fn path_of(index: usize) -> Vec<u8> {
    let mut key = Vec::new();
    put_bytes(&mut key, trimmed(&(index as u64).to_be_bytes()));
    key.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect()
}

/// Return the RLP of the node that holds the entries, whose paths agree up to `depth`.
fn node(entries: &[(Vec<u8>, &Vec<u8>)], depth: usize) -> Vec<u8> {
    let (first, value) = &entries[0];
    let mut fields = Vec::new();
    if entries.len() == 1 {
        put_bytes(&mut fields, &compact(&first[depth..], true));
        put_bytes(&mut fields, value);
        return list(&fields);
    }
    // They are sorted, so what the first and the last share they all share.
    let last = &entries[entries.len() - 1].0;
    let shared = first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count();
    if shared > 0 {
        put_bytes(&mut fields, &compact(&first[depth..depth + shared], false));
        put_reference(&mut fields, node(entries, depth + shared));
        return list(&fields);
    }
    let mut rest = entries;
    for nibble in 0..16 {
        let here = rest.partition_point(|(path, _)| path[depth] == nibble);
        let (below, beyond) = rest.split_at(here);
        if below.is_empty() {
            fields.push(0x80);
        } else {
            put_reference(&mut fields, node(below, depth + 1));
        }
        rest = beyond;
    }
    fields.push(0x80); // no position's RLP is the beginning of another's
    list(&fields)
}

fn put_reference(fields: &mut Vec<u8>, node: Vec<u8>) {
    if node.len() < 32 {
        fields.extend(node);
    } else {
        put_bytes(fields, keccak256(node).as_slice());
    }
}
