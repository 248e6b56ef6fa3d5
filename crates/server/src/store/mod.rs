//! Where accounts are kept: load many, swap many, scan, delete. Any engine with a conditional write can be
//! one. A store never sees inside an account, and must never answer for a write that is not on the disk.

mod attempt;
pub mod batch;
mod fence;
mod open;
pub mod postgres;
mod requests;
mod schema;
pub mod sqlite;

pub use attempt::Attempt;
pub use fence::{Fence, fence_of};
pub use open::{OpenError, Opened, is_there, open, open_behind_fence};
pub use schema::{Migration, Schema};

use einmal_core::account::AccountId;
use std::future::Future;
use std::pin::Pin;

/// 64 random bits, drawn at each write and compared only for equality. A counter would come back after a
/// delete or a restore and let a stale copy overwrite a newer state.
pub type Version = u64;

/// Which key of the keyring sealed a part.
pub type KeyId = u32;

/// One sealed part of an account, the guard or the vault, as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedPart {
    pub version: Version,
    pub key_id: KeyId,
    pub sealed: Vec<u8>,
}

/// Both parts of an account, as one statement read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedAccount {
    pub guard: SealedPart,
    pub vault: SealedPart,
}

/// What must be in the store for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No row: the write makes the account. It must then bring a vault.
    Absent,
    /// A row whose guard has this version.
    Version(Version),
}

/// A conditional write of one account.
#[derive(Clone, Debug)]
pub struct Swap {
    pub id: AccountId,
    pub expected: Expected,
    pub guard: SealedPart,
    /// Only if it changed.
    pub vault: Option<SealedPart>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapOutcome {
    Swapped,
    /// The store held something else than expected, and nothing was written.
    Conflict,
}

/// Something broke. A conflict is no error.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine could not be reached, refused, or its answer to a commit is unknown. The write may or may
    /// not have happened: never settle that by reading back, another writer may have written what one reads.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// What is stored is not what this version wrote: damaged, or made by something else. What became of a
    /// write that is answered with this is as unknown as above.
    #[error("store damaged: {0}")]
    Damaged(String),
}

/// What an engine found when it looked at itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// How many accounts there are.
    pub accounts: u64,
    /// What is wrong, for the operator; the first some hundred of it.
    pub faults: Vec<String>,
}

pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Of what tells its outcome to somebody else than the caller.
pub type TakenFuture<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The obligations of an engine. Its contract suite is `tests/it/contract`.
pub trait Store: Send + Sync {
    /// The accounts in the order of `ids`. Guard and vault of one account MUST come from one snapshot.
    fn load_many(&self, ids: Vec<AccountId>) -> StoreFuture<'_, Vec<Option<SealedAccount>>>;

    /// Each swap on its own, in the order given. Guard and vault of one swap MUST be written together or not at all. It MUST NOT
    /// return before everything it reports as swapped is on the disk. Several calls may share one commit; the same
    /// account may be in several. Where nothing is in it twice a call is one commit or two, however large: 1,000 swaps are a good size.
    fn swap_many(&self, swaps: Vec<Swap>) -> StoreFuture<'_, Vec<SwapOutcome>>;

    /// Loads, lets decide, and swaps, with the obligations of both of the above. Returns when the attempt is in a queue, or
    /// later; what comes of it the attempt itself is told. Every attempt that is taken MUST be settled or dropped.
    fn attempt(&self, attempt: Box<dyn Attempt>) -> TakenFuture<'_> {
        Box::pin(attempt::carry_out(self, attempt))
    }

    /// Removes whatever is there of the account, also if it is damaged or only a part of one. Whether there was anything.
    fn delete(&self, id: AccountId) -> StoreFuture<'_, bool>;

    /// Up to `limit` accounts after `after`, in the order of (issuer, subject) as bytes.
    fn scan(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<(AccountId, SealedAccount)>>;

    /// The same without what is in them, so that a damaged account does not hide those around it.
    fn ids(&self, after: Option<AccountId>, limit: usize) -> StoreFuture<'_, Vec<AccountId>>;

    /// Everything that is wrong as far as an engine can tell that sees into no account. May take long, and MUST NOT
    /// hold up other calls.
    fn check(&self) -> StoreFuture<'_, Inspection>;

    /// A small named value of the store itself, such as the keyring's check value.
    fn property(&self, name: &'static str) -> StoreFuture<'_, Option<Vec<u8>>>;

    /// Sets a property, durably, if it is `expected`; `None` is a property that was never set.
    fn swap_property(
        &self,
        name: &'static str,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> StoreFuture<'_, SwapOutcome>;

    /// Closes the store to everybody who has not opened it behind this very fence, or opens it again, if its fence is
    /// `expected`. When it returns, every write that was begun before is committed or will be refused; reading goes on.
    fn swap_fence(&self, expected: Option<Fence>, fence: Option<Fence>) -> StoreFuture<'_, SwapOutcome>;

    /// Whether a write can be committed right now, by committing one that changes nothing.
    fn probe(&self) -> StoreFuture<'_, ()>;
}

/// Gives a property this value if it has none. Returns the value that it has, which of several who do this at once only
/// one has given it.
pub async fn claim_property(
    store: &dyn Store,
    name: &'static str,
    value: Vec<u8>,
) -> Result<Vec<u8>, StoreError> {
    if let Some(found) = store.property(name).await? {
        return Ok(found);
    }
    match store.swap_property(name, None, value.clone()).await? {
        SwapOutcome::Swapped => Ok(value),
        SwapOutcome::Conflict => {
            let gone = || StoreError::Unavailable(format!("the property {name} is there and is not"));
            store.property(name).await?.ok_or_else(gone)
        }
    }
}
