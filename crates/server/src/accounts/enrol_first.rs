//! The first secret of an account that has nothing yet to prove anything by.

use super::prove::Looked;
use super::{Accounts, Deed, Proof, UpdateError};
use einmal_core::account::{Account, AccountId};

impl Accounts {
    /// Does `deed` if the account, which comes into being if need be, still `is_fresh`.
    pub async fn enrol_first<D: Deed>(
        &self,
        id: AccountId,
        is_fresh: impl Fn(&Account) -> bool + Send + Sync + 'static,
        deed: D,
    ) -> Result<Proof<D::Done>, UpdateError> {
        let attempt = move |account: &mut Account| {
            if let Some(looked) = Looked::earlier(&deed, account) {
                return looked;
            }
            if is_fresh(account) {
                Looked::At(Proof::Right(deed.run(account)))
            } else {
                Looked::Untouched(Proof::Wrong)
            }
        };
        Ok(self.update_or_create(id, attempt).await?.into_proof())
    }
}
