//! The first secret of an account that has nothing yet to prove anything by.

use super::{Accounts, Outcome, Proof, UpdateError};
use einmal_core::account::{Account, AccountId};

struct Enrolled(bool);

impl Outcome for Enrolled {
    fn is_evaluated(&self) -> bool {
        self.0
    }
}

impl Accounts {
    /// Runs `enrol` if the account, which comes into being if need be, still `is_fresh`.
    pub async fn enrol_first(
        &self,
        id: AccountId,
        is_fresh: impl Fn(&Account) -> bool + Send + Sync + 'static,
        enrol: impl Fn(&mut Account) + Send + Sync + 'static,
    ) -> Result<Proof<()>, UpdateError> {
        let attempt = move |account: &mut Account| {
            let is_fresh = is_fresh(account);
            if is_fresh {
                enrol(account);
            }
            Enrolled(is_fresh)
        };
        let Enrolled(is_enrolled) = self.update_or_create(id, attempt).await?;
        Ok(if is_enrolled { Proof::Right(()) } else { Proof::Wrong })
    }
}
