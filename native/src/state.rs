//! The state as it is now: what was handed over, what is committed on top, and a trial on top of that.

use std::collections::BTreeMap;
use std::sync::Arc;

use revm::Database;
use revm::bytecode::Bytecode;
use revm::primitives::{Address, B256, HashMap, KECCAK_EMPTY, U256};
use revm::state::{Account, AccountInfo, EvmState};

use crate::access_list::AccessList;
use crate::world::{Head, Known, Missing, World};

/// One account in a layer: what it was below, what it is now, and the slots that were set.
#[derive(Clone, Debug)]
pub struct Change {
    pub before: Head,
    pub now: Head,
    /// The storage below no longer shows through: the account was deleted, or made over an older one.
    pub replaced: bool,
    /// Slot -> (value when the layer first set it, value now).
    pub storage: HashMap<U256, (U256, U256)>,
}

pub type Layer = HashMap<Address, Change>;

pub struct State {
    base: Arc<World>,
    /// What the source of the state was asked for since the session began.
    pub learned: World,
    committed: Layer,
    trial: Option<Layer>,
    /// Codes that transactions deployed.
    deployed: HashMap<B256, Bytecode>,
    parent: (u64, B256),
    /// What the block has accessed, where its fork lists that.
    access_list: Option<AccessList>,
}

impl State {
    pub fn new(base: Arc<World>, block_number: u64, parent_hash: B256) -> Self {
        Self {
            base,
            learned: World::default(),
            committed: Layer::default(),
            trial: None,
            deployed: HashMap::default(),
            parent: (block_number.wrapping_sub(1), parent_hash),
            access_list: None,
        }
    }

    /// A state with the same commitments, for candidates that are tried apart from this one.
    pub fn for_trials(&self) -> Self {
        Self {
            base: self.base.clone(),
            learned: self.learned.clone(),
            committed: self.committed.clone(),
            trial: None,
            deployed: self.deployed.clone(),
            parent: self.parent,
            access_list: None,
        }
    }

    /// Gather the block access list from here on.
    pub fn list_accesses(&mut self) {
        self.access_list = Some(AccessList::default());
    }

    /// The access list of what is being committed; a trial leaves none.
    fn listing(&mut self) -> Option<&mut AccessList> {
        if self.trial.is_none() { self.access_list.as_mut() } else { None }
    }

    /// Say that the next transaction begins, or what comes after the last.
    pub fn advance_access_list(&mut self) {
        if let Some(list) = self.listing() {
            list.advance();
        }
    }

    /// Note that an account was looked up.
    pub fn note_account(&mut self, address: Address) {
        if let Some(list) = self.listing() {
            list.note_account(address);
        }
    }

    /// The block access list so far, encoded, where the fork has one.
    pub fn access_list(&self) -> Option<Vec<u8>> {
        self.access_list.as_ref().map(AccessList::encoded)
    }

    pub fn begin_trial(&mut self) {
        self.trial = Some(Layer::default());
    }

    pub fn end_trial(&mut self) {
        self.trial = None;
    }

    fn known(&self, address: Address) -> Option<&Known> {
        self.learned.accounts.get(&address).or_else(|| self.base.accounts.get(&address))
    }

    fn below_layers(&self, address: Address) -> Result<Head, Missing> {
        match self.known(address) {
            Some(known) => Ok(known.head),
            None if self.base.lists_every_account => Ok(Head::ABSENT),
            None => Err(Missing::Account(address)),
        }
    }

    pub fn head(&self, address: Address) -> Result<Head, Missing> {
        let layers = [self.trial.as_ref(), Some(&self.committed)];
        for layer in layers.into_iter().flatten() {
            if let Some(change) = layer.get(&address) {
                return Ok(change.now);
            }
        }
        self.below_layers(address)
    }

    pub fn slot(&self, address: Address, slot: U256) -> Result<U256, Missing> {
        let layers = [self.trial.as_ref(), Some(&self.committed)];
        for change in layers.into_iter().flatten().filter_map(|layer| layer.get(&address)) {
            if let Some((_, value)) = change.storage.get(&slot) {
                return Ok(*value);
            }
            if change.replaced {
                return Ok(U256::ZERO);
            }
        }
        for world in [&self.learned, &*self.base] {
            if let Some(value) = world.accounts.get(&address).and_then(|known| known.storage.get(&slot)) {
                return Ok(*value);
            }
        }
        if self.base.lists_every_slot || self.below_layers(address)?.is_fresh() {
            return Ok(U256::ZERO);
        }
        Err(Missing::Slot(address, slot))
    }

    pub fn code(&self, code_hash: B256) -> Result<Bytecode, Missing> {
        if code_hash == KECCAK_EMPTY || code_hash.is_zero() {
            return Ok(Bytecode::default());
        }
        [&self.deployed, &self.learned.codes, &self.base.codes]
            .into_iter()
            .find_map(|codes| codes.get(&code_hash))
            .cloned()
            .ok_or(Missing::Code(code_hash))
    }

    /// The changes since the trial began, or since the session did.
    pub fn top(&self) -> &Layer {
        self.trial.as_ref().unwrap_or(&self.committed)
    }

    fn change(&mut self, address: Address, before: Head) -> &mut Change {
        self.trial.as_mut().unwrap_or(&mut self.committed).entry(address).or_insert_with(|| Change {
            before,
            now: before,
            replaced: false,
            storage: HashMap::default(),
        })
    }

    /// Add to a balance, as withdrawals and rewards do; the account exists from then on.
    pub fn credit(&mut self, address: Address, amount: U256) -> Result<(), Missing> {
        let before = self.head(address)?;
        if let Some(list) = self.listing() {
            if amount.is_zero() {
                list.note_account(address);
                return Ok(());
            }
            list.note_balance(address, before.balance, before.balance.wrapping_add(amount));
        }
        let now = &mut self.change(address, before).now;
        now.balance = now.balance.wrapping_add(amount);
        now.exists = true;
        Ok(())
    }

    /// Move a whole balance, as the DAO fork did.
    pub fn drain(&mut self, from: Address, to: Address) -> Result<(), Missing> {
        let (source, target) = (self.head(from)?, self.head(to)?);
        self.change(to, target).now.balance += source.balance;
        self.change(to, target).now.exists = true;
        self.change(from, source).now.balance = U256::ZERO;
        self.change(from, source).now.exists = true;
        Ok(())
    }

    /// Every slot that is known to hold something, as it is now.
    fn slots_held(&self, address: Address) -> BTreeMap<U256, U256> {
        let mut held = BTreeMap::new();
        for world in [&*self.base, &self.learned] {
            if let Some(known) = world.accounts.get(&address) {
                held.extend(known.storage.iter().map(|(slot, value)| (*slot, *value)));
            }
        }
        let layers = [Some(&self.committed), self.trial.as_ref()];
        for change in layers.into_iter().flatten().filter_map(|layer| layer.get(&address)) {
            if change.replaced {
                held.clear();
            }
            held.extend(change.storage.iter().map(|(slot, (_, value))| (*slot, *value)));
        }
        held.retain(|_, value| !value.is_zero());
        held
    }

    /// Keep what one transaction left in revm's journal, and say what that was.
    pub fn apply(&mut self, journal: EvmState) -> Touched {
        if let Some(list) = self.listing() {
            list.note(&journal);
        }
        let mut touched = Touched::default();
        for (address, account) in journal {
            touched.accounts.push(address);
            touched.slots.extend(account.storage.keys().map(|slot| (address, *slot)));
            if account.is_touched() {
                self.apply_account(address, account, &mut touched);
            }
        }
        touched
    }

    fn apply_account(&mut self, address: Address, account: Account, touched: &mut Touched) {
        let before = self.head(address).expect("revm loaded the account it touched");
        // revm marks what the rules before EIP-161 keep as created, so an unmarked empty account goes.
        let gone = account.is_selfdestructed() || (account.is_empty() && !account.is_created());
        let now = if gone {
            Head::ABSENT
        } else {
            Head {
                balance: account.info.balance,
                nonce: account.info.nonce,
                code_hash: match account.info.code_hash {
                    B256::ZERO => KECCAK_EMPTY,
                    code_hash => code_hash,
                },
                exists: true,
            }
        };
        if before.balance != now.balance {
            touched.balances.push((address, before.balance, now.balance));
        }
        if gone {
            if !before.exists {
                return;
            }
            for slot in self.slots_held(address).into_keys() {
                touched.written.push((address, slot));
            }
            let change = self.change(address, before);
            change.now = now;
            change.replaced = true;
            change.storage.clear();
            return;
        }
        let replaces = account.is_created() && !self.slots_held(address).is_empty();
        if now.code_hash != before.code_hash && now.code_hash != KECCAK_EMPTY {
            let code = account.info.code.expect("revm keeps the code it deployed");
            self.deployed.insert(now.code_hash, code);
        }
        if now == before && !replaces && account.storage.values().all(|slot| !slot.is_changed()) {
            return;
        }
        let change = self.change(address, before);
        change.now = now;
        if replaces {
            change.replaced = true;
            change.storage.clear();
        }
        for (slot, value) in account.storage {
            if value.is_changed() {
                touched.written.push((address, slot));
                let first = change.storage.entry(slot);
                first.or_insert((value.original_value, value.original_value)).1 = value.present_value;
            }
        }
    }
}

impl Database for State {
    type Error = Missing;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Missing> {
        let head = self.head(address)?;
        // Storage alone keeps a contract from being created here (EIP-7610). revm asks for nonce and code
        // only, and takes the zero hash for empty code everywhere but in that question.
        let taken = head.exists && head.is_fresh() && !self.slots_held(address).is_empty();
        Ok(head.exists.then(|| AccountInfo {
            balance: head.balance,
            nonce: head.nonce,
            code_hash: if taken { B256::ZERO } else { head.code_hash },
            code: None,
            ..AccountInfo::default()
        }))
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, Missing> {
        self.code(code_hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, Missing> {
        self.slot(address, slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Missing> {
        if number == self.parent.0 && !self.parent.1.is_zero() {
            return Ok(self.parent.1);
        }
        [&self.learned, &*self.base]
            .into_iter()
            .find_map(|world| world.block_hashes.get(&number))
            .copied()
            .ok_or(Missing::BlockHash(number))
    }
}

/// What one transaction looked at and changed, in no order.
#[derive(Debug, Default)]
pub struct Touched {
    pub accounts: Vec<Address>,
    pub slots: Vec<(Address, U256)>,
    pub written: Vec<(Address, U256)>,
    /// Address, balance before, balance after.
    pub balances: Vec<(Address, U256, U256)>,
}
