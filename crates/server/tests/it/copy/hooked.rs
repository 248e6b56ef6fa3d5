//! A real store, and something that happens at the moment when somebody asks it of its fence, or is about to change it.

use einmal::store::{Fence, Inspection, SealedAccount, Store, StoreFuture, Swap, SwapOutcome};
use einmal_core::account::AccountId;
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    FenceRead,
    FenceSwap,
}

pub(super) struct Hooked {
    pub(super) store: Arc<dyn Store>,
    pub(super) moment: Moment,
    /// Once.
    pub(super) hook: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Hooked {
    fn reach(&self, moment: Moment) {
        if moment == self.moment {
            let hook = self.hook.lock().unwrap().take();
            if let Some(hook) = hook {
                hook();
            }
        }
    }
}

impl Store for Hooked {
    fn load_many(&self, ids: Vec<AccountId>) -> StoreFuture<'_, Vec<Option<SealedAccount>>> {
        self.store.load_many(ids)
    }

    fn swap_many(&self, swaps: Vec<Swap>) -> StoreFuture<'_, Vec<SwapOutcome>> {
        self.store.swap_many(swaps)
    }

    fn delete(&self, id: AccountId) -> StoreFuture<'_, bool> {
        self.store.delete(id)
    }

    fn scan(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<(AccountId, SealedAccount)>> {
        self.store.scan(after, limit)
    }

    fn ids(&self, after: Option<AccountId>, limit: usize) -> StoreFuture<'_, Vec<AccountId>> {
        self.store.ids(after, limit)
    }

    fn check(&self) -> StoreFuture<'_, Inspection> {
        self.store.check()
    }

    fn property(&self, name: &'static str) -> StoreFuture<'_, Option<Vec<u8>>> {
        if name == "fence" {
            self.reach(Moment::FenceRead);
        }
        self.store.property(name)
    }

    fn swap_property(
        &self,
        name: &'static str,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> StoreFuture<'_, SwapOutcome> {
        self.store.swap_property(name, expected, value)
    }

    fn swap_fence(&self, expected: Option<Fence>, fence: Option<Fence>) -> StoreFuture<'_, SwapOutcome> {
        self.reach(Moment::FenceSwap);
        self.store.swap_fence(expected, fence)
    }

    fn probe(&self) -> StoreFuture<'_, ()> {
        self.store.probe()
    }
}
