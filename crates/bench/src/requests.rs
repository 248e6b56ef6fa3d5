//! The requests of a run, ready but for their codes: who asks with which token, and which code when.

use crate::clock::StepClock;
use crate::load::answer::Expected;
use crate::load::{Next, Source};
use crate::population::{STEPS_PER_RUN, totp};
use crate::tokens::TokenPool;
use crate::upcoming::Upcoming;
use anyhow::{Context, Result};
use einmal_core::otp::{Code, Totp};
use std::sync::Arc;

const HEAD: &[u8] = b"POST /user/2025-1/user/otp/verify HTTP/1.1\r\nhost: otp.example.com\r\n\
    content-type: application/json\r\ncontent-length: 16\r\nauthorization: Bearer ";

/// The bytes of one verify request.
pub fn write_verify(request: &mut Vec<u8>, token: &str, code: &str) {
    request.clear();
    for part in [HEAD, token.as_bytes(), b"\r\n\r\n{\"otp\":\"", code.as_bytes(), b"\"}"] {
        request.extend_from_slice(part);
    }
}

/// Which token a request brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenUse {
    /// One that no request brought before, as long as there are any.
    Fresh,
    /// Its account's one.
    Seen,
}

/// Which codes are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    Right,
    /// Four wrong ones after each right one: the fifth would be throttled. It ends there.
    Wrong,
    /// Every tenth code of an account is wrong.
    TenthWrong,
}

/// Right and wrong codes of many accounts, each (account, step) once. An account's requests are all on one connection,
/// so that its steps go forward, if the number of connections divides that of accounts.
pub struct VerifyRequests {
    pool: Arc<TokenPool>,
    /// Those that are asked about; token `n` must be of account `n` modulo this, or of account `n` if it is seen again.
    accounts: u64,
    totps: Arc<Vec<Totp>>,
    uses: TokenUse,
    codes: Codes,
    clock: StepClock,
    /// `None` where steps are the system clock's and no account is asked in two that are near each other.
    upcoming: Option<Upcoming>,
    slots: Vec<Slot>,
    /// Slots that are in each round, by its number.
    in_round: Vec<usize>,
    slowest_round: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    /// Of its next request: they go up by the number of slots.
    number: u64,
    round: usize,
}

/// Of accounts 0 to `accounts`.
pub fn totps(accounts: u64) -> Result<Arc<Vec<Totp>>> {
    Ok(Arc::new((0..accounts).map(totp).collect::<Result<_>>()?))
}

impl VerifyRequests {
    pub fn new(
        (pool, accounts): (Arc<TokenPool>, u64),
        totps: Arc<Vec<Totp>>,
        (uses, codes): (TokenUse, Codes),
        clock: StepClock,
        slots: usize,
    ) -> Self {
        let mut in_round = vec![0; usize::try_from(STEPS_PER_RUN).unwrap_or_default()];
        if let Some(first) = in_round.first_mut() {
            *first = slots;
        }
        let asked = totps.iter().take(usize::try_from(accounts).unwrap_or(usize::MAX));
        let upcoming = clock.first_step().map(|step| Upcoming::new(asked, step));
        let slots = (0..slots as u64).map(|number| Slot { number, round: 0 }).collect();
        Self { pool, accounts, totps, uses, codes, clock, upcoming, slots, in_round, slowest_round: 0 }
    }

    /// A slot goes from one round to another; of all requests under way none is of an earlier round than the slowest
    /// slot's.
    fn move_on(&mut self, from: usize, to: usize) {
        for (round, change) in [(from, -1), (to, 1)] {
            if let Some(slots) = self.in_round.get_mut(round) {
                *slots = slots.saturating_add_signed(change);
            }
        }
        let before = self.slowest_round;
        while self.in_round.get(self.slowest_round) == Some(&0) {
            self.slowest_round += 1;
        }
        if self.slowest_round != before {
            self.clock.all_are_in(self.slowest_round as u64);
        }
    }

    fn is_wrong(&self, account: u64, round: u64) -> bool {
        match self.codes {
            Codes::Right => false,
            Codes::Wrong => round > 0,
            Codes::TenthWrong => (account + round) % 10 == 9,
        }
    }

    /// Starts at another account than the first one.
    #[must_use]
    pub fn beginning_with(mut self, account: u64) -> Self {
        for slot in &mut self.slots {
            slot.number += account;
        }
        self
    }

    /// Where to begin next, so that no account comes twice.
    pub fn furthest(&self) -> u64 {
        self.slots.iter().map(|slot| slot.number).max().unwrap_or_default()
    }

    /// The answer that is expected, and `None` if this one is left out.
    fn write(
        &mut self,
        request: &mut Vec<u8>,
        (number, account): (u64, u64),
        (round, step): (u64, u64),
    ) -> Result<Option<Expected>> {
        let token = if self.uses == TokenUse::Fresh { number } else { account };
        let token = self.pool.get(token).context("a token for each request")?;
        let index = usize::try_from(account)?;
        let totp = self.totps.get(index).context("a secret for each account")?;
        let right = match &mut self.upcoming {
            Some(upcoming) => upcoming.take(index, totp, round),
            None => Some(totp.code_at(step)),
        };
        let Some(right) = right else { return Ok(None) };
        if self.is_wrong(account, round) {
            write_verify(request, token, wrong_code(totp, step).as_str());
            return Ok(Some(Expected::Refused));
        }
        write_verify(request, token, right.as_str());
        Ok(Some(Expected::Status(204)))
    }

    fn is_over(&self, number: u64, round: u64) -> bool {
        let is_used_up = self.uses == TokenUse::Fresh && number >= self.pool.count();
        // Some rounds are kept for the clock, which is ahead.
        is_used_up || round + 8 >= STEPS_PER_RUN || (self.codes == Codes::Wrong && round > 4)
    }
}

impl Source for VerifyRequests {
    fn next(&mut self, slot: usize, request: &mut Vec<u8>) -> Result<Next> {
        loop {
            let Some(Slot { number, round: before }) = self.slots.get(slot).copied() else {
                return Ok(Next::Over);
            };
            let (round, account) = (number / self.accounts, number % self.accounts);
            if self.is_over(number, round) {
                return Ok(Next::Over);
            }
            let entered = usize::try_from(round)?;
            if entered != before {
                self.move_on(before, entered);
            }
            let Some(step) = self.clock.step_of(round) else {
                self.slots.get_mut(slot).map(|slot| slot.round = entered).context("a slot")?;
                return Ok(Next::NotYet);
            };
            let next = Slot { number: number + self.slots.len() as u64, round: entered };
            self.slots.get_mut(slot).map(|slot| *slot = next).context("a slot")?;
            if let Some(expected) = self.write(request, (number, account), (round, step))? {
                return Ok(Next::Send(expected));
            }
        }
    }
}

/// One that is no code of any step that could be good or used.
pub fn wrong_code(totp: &Totp, step: u64) -> Code {
    let near: Vec<_> = (step.saturating_sub(5)..=step + 5).map(|step| totp.code_at(step)).collect();
    let first = totp.code_at(step).as_str().parse().unwrap_or(0_u32);
    let candidates = (1..1_000).map(|distance| Code::from_number((first + distance) % 1_000_000, 6));
    let mut wrong = candidates.filter(|code| near.iter().all(|near| near.as_str() != code.as_str()));
    wrong.next().unwrap_or_else(|| Code::from_number(first, 6))
}

/// The same request again and again, such as a guess at one account.
pub struct Repeated {
    pub requests: Vec<Vec<u8>>,
    pub expected: Expected,
}

impl Source for Repeated {
    fn next(&mut self, slot: usize, request: &mut Vec<u8>) -> Result<Next> {
        let Some(one) = self.requests.get(slot % self.requests.len().max(1)) else { return Ok(Next::Over) };
        request.clear();
        request.extend_from_slice(one);
        Ok(Next::Send(self.expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::{SigningAlgorithm, SigningKey};
    use std::collections::HashSet;

    fn pool(accounts: u64, count: u64) -> (tempfile::TempDir, Arc<TokenPool>) {
        let directory = tempfile::tempdir().unwrap();
        let key = SigningKey::open(directory.path(), SigningAlgorithm::EdDsa).unwrap();
        let pool = TokenPool::open(directory.path(), &key, accounts, count).unwrap();
        (directory, Arc::new(pool))
    }

    /// All requests of a source whose slots take turns.
    fn all(source: &mut VerifyRequests, slots: usize, most: usize) -> Vec<(String, Expected)> {
        let (mut request, mut all) = (Vec::new(), Vec::new());
        for turn in 0..most {
            match source.next(turn % slots, &mut request).unwrap() {
                Next::Send(expected) => all.push((String::from_utf8(request.clone()).unwrap(), expected)),
                Next::NotYet => panic!("the clock of a test is always there"),
                Next::Over => break,
            }
        }
        all
    }

    #[test]
    fn no_token_and_no_code_of_an_account_comes_twice_until_all_were_there() {
        let (_directory, pool) = pool(4, 12);
        let kinds = (TokenUse::Fresh, Codes::Right);
        let mut source = VerifyRequests::new((pool, 4), totps(4).unwrap(), kinds, StepClock::free(1_000), 2);
        let all = all(&mut source, 2, 100);
        assert_eq!(all.len(), 12);
        let token =
            |request: &str| request.split("Bearer ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
        assert_eq!(all.iter().map(|(request, _)| token(request)).collect::<HashSet<_>>().len(), 12);
        for (number, (request, expected)) in all.iter().enumerate() {
            let code = totp(number as u64 % 4).unwrap().code_at(1_000 + number as u64 / 4);
            assert!(request.ends_with(&format!("\r\n\r\n{{\"otp\":\"{}\"}}", code.as_str())), "{request}");
            assert_eq!(*expected, Expected::Status(204));
        }
    }

    #[test]
    fn no_account_is_asked_so_often_with_wrong_codes_that_it_must_wait() {
        let (_directory, pool) = pool(2, 2);
        let kinds = (TokenUse::Seen, Codes::Wrong);
        let mut source =
            VerifyRequests::new((Arc::clone(&pool), 2), totps(2).unwrap(), kinds, StepClock::free(7), 1);
        let expected: Vec<_> = all(&mut source, 1, 100).iter().map(|(_, expected)| *expected).collect();
        assert_eq!(expected.len(), 10);
        assert!(expected[..2].iter().all(|one| *one == Expected::Status(204)));
        assert!(expected[2..].iter().all(|one| *one == Expected::Refused));

        let kinds = (TokenUse::Seen, Codes::TenthWrong);
        let mut source = VerifyRequests::new((pool, 2), totps(2).unwrap(), kinds, StepClock::free(7), 1);
        let wrong = all(&mut source, 1, 200).iter().filter(|(_, one)| *one == Expected::Refused).count();
        assert_eq!(wrong, 20);
    }

    #[test]
    fn a_wrong_code_is_no_code_near_its_step() {
        for account in 0..50 {
            let totp = totp(account).unwrap();
            let wrong = wrong_code(&totp, 60_000_000);
            assert!((59_999_995..=60_000_005).all(|step| totp.code_at(step).as_str() != wrong.as_str()));
        }
    }
}
