//! Reading the columns and transactions that Python packs; big-endian, lengths before contents.

use revm::context::TxEnv;
use revm::context::either::Either;
use revm::context::transaction::{
    AccessList, AccessListItem, Authorization, RecoveredAuthority, RecoveredAuthorization,
};
use revm::primitives::{Address, B256, Bytes, TxKind, U256};

/// The bytes end too early or make no sense: the two sides of the interface disagree.
#[derive(Debug)]
pub struct Malformed(pub &'static str);

pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn take(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        if size > self.rest.len() {
            return Err(Malformed("packed bytes end too early"));
        }
        let (taken, rest) = self.rest.split_at(size);
        self.rest = rest;
        Ok(taken)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub fn u32(&mut self) -> Result<usize, Malformed> {
        let bytes = self.take(4)?.try_into().expect("four bytes");
        Ok(u32::from_be_bytes(bytes) as usize)
    }

    pub fn u64(&mut self) -> Result<u64, Malformed> {
        let bytes = self.take(8)?.try_into().expect("eight bytes");
        Ok(u64::from_be_bytes(bytes))
    }

    pub fn u256(&mut self) -> Result<U256, Malformed> {
        Ok(U256::from_be_slice(self.take(32)?))
    }

    pub fn b256(&mut self) -> Result<B256, Malformed> {
        Ok(B256::from_slice(self.take(32)?))
    }

    pub fn address(&mut self) -> Result<Address, Malformed> {
        Ok(Address::from_slice(self.take(20)?))
    }

    /// Refuse a count whose items cannot be in what is left, before room is made for them.
    pub fn bounded(&self, count: usize, item_size: usize) -> Result<usize, Malformed> {
        if count > self.rest.len() / item_size {
            return Err(Malformed("a count is larger than what follows it"));
        }
        Ok(count)
    }
}

const REFUSED: u8 = 1;
const CALLS: u8 = 2;
const PROTECTED: u8 = 4;
const HAS_TIP: u8 = 8;

/// A transaction and what the checks against sender and block need beside revm's own form of it.
#[derive(Clone, Debug)]
pub struct Tx {
    pub env: TxEnv,
    /// Python has found it invalid whatever the state is.
    pub refused: bool,
    pub fee_cap: U256,
    pub blob_fee_cap: U256,
    pub blob_gas: u64,
}

impl Tx {
    pub fn read(packed: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(packed);
        let flags = reader.u8()?;
        let mut env = TxEnv {
            tx_type: reader.u8()?,
            caller: reader.address()?,
            ..TxEnv::default()
        };
        let to = reader.address()?;
        env.kind = if flags & CALLS != 0 { TxKind::Call(to) } else { TxKind::Create };
        env.nonce = reader.u64()?;
        env.gas_limit = reader.u64()?;
        let chain_id = reader.u64()?;
        env.chain_id = (flags & PROTECTED != 0).then_some(chain_id);
        let blob_gas = reader.u64()?;
        env.value = reader.u256()?;
        let fee_cap = reader.u256()?;
        env.gas_price = narrow(fee_cap);
        let tip = reader.u256()?;
        env.gas_priority_fee = (flags & HAS_TIP != 0).then(|| narrow(tip));
        let blob_fee_cap = reader.u256()?;
        env.max_fee_per_blob_gas = narrow(blob_fee_cap);
        let size = reader.u32()?;
        env.data = Bytes::copy_from_slice(reader.take(size)?);
        env.access_list = read_access_list(&mut reader)?;
        for _ in 0..reader.u32()? {
            env.blob_hashes.push(reader.b256()?);
        }
        for _ in 0..reader.u32()? {
            env.authorization_list.push(Either::Right(read_authorization(&mut reader)?));
        }
        Ok(Self { env, refused: flags & REFUSED != 0, fee_cap, blob_fee_cap, blob_gas })
    }
}

fn read_access_list(reader: &mut Reader<'_>) -> Result<AccessList, Malformed> {
    let mut items = Vec::new();
    for _ in 0..reader.u32()? {
        let address = reader.address()?;
        let count = reader.u32()?;
        let mut storage_keys = Vec::with_capacity(reader.bounded(count, 32)?);
        for _ in 0..count {
            storage_keys.push(reader.b256()?);
        }
        items.push(AccessListItem { address, storage_keys });
    }
    Ok(AccessList(items))
}

fn read_authorization(reader: &mut Reader<'_>) -> Result<RecoveredAuthorization, Malformed> {
    let inner = Authorization {
        chain_id: reader.u256()?,
        address: reader.address()?,
        nonce: reader.u64()?,
    };
    let recovered = reader.u8()? != 0;
    let authority = reader.address()?;
    let authority = if recovered {
        RecoveredAuthority::Valid(authority)
    } else {
        RecoveredAuthority::Invalid
    };
    Ok(RecoveredAuthorization::new_unchecked(inner, authority))
}

/// revm holds fees in 128 bits. Who offers more pays no more for it: what is paid is checked apart.
fn narrow(fee: U256) -> u128 {
    fee.saturating_to()
}
