//! The codes that accounts are about to send, known ahead. Of a million codes one is that of a near step, too: a server
//! takes it for the later one, and refuses what lies between. Such a code must not be sent.

use einmal_core::otp::{Code, Totp};

/// How many steps later a server may take a code for: it is in the step after, looks one further, and two for drift.
const AHEAD: usize = 4;
const KEPT: usize = AHEAD + 1;

/// For each account the codes of its next round and of those after it, at their round modulo `KEPT`.
pub struct Upcoming {
    first_step: u64,
    codes: Vec<[u32; KEPT]>,
}

impl Upcoming {
    /// Round 0 is `first_step`.
    pub fn new<'a>(totps: impl Iterator<Item = &'a Totp>, first_step: u64) -> Self {
        let of = |totp: &Totp| {
            let mut codes = [0; KEPT];
            (first_step..).zip(&mut codes).for_each(|(step, code)| *code = number(totp, step));
            codes
        };
        Self { first_step, codes: totps.map(of).collect() }
    }

    /// The code of this account in this round, and `None` if it must be left out. Rounds are asked for one after the other.
    pub fn take(&mut self, account: usize, totp: &Totp, round: u64) -> Option<Code> {
        let codes = self.codes.get_mut(account)?;
        let place = codes.get_mut(usize::try_from(round % KEPT as u64).ok()?)?;
        let code = *place;
        *place = number(totp, self.first_step + round + KEPT as u64);
        // Its own successor in the ring is too far away to be taken for it.
        let own = usize::try_from(round % KEPT as u64).ok()?;
        let is_another = codes.iter().enumerate().all(|(other, later)| other == own || *later != code);
        is_another.then(|| Code::from_number(code, Totp::DEFAULT_DIGITS))
    }
}

fn number(totp: &Totp, step: u64) -> u32 {
    totp.code_at(step).as_str().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::totp;

    /// The first account and step whose code is that of the step `distance` later.
    fn twin(distance: u64) -> (Totp, u64) {
        for account in 0.. {
            let totp = totp(account).unwrap();
            let codes: Vec<_> = (1_000..21_000).map(|step| number(&totp, step)).collect();
            let pairs = codes.iter().zip(codes.iter().skip(usize::try_from(distance).unwrap()));
            if let Some(index) = pairs.into_iter().position(|(one, other)| one == other) {
                return (totp, 1_000 + index as u64);
            }
        }
        unreachable!()
    }

    #[test]
    fn codes_are_those_of_their_steps() {
        let totp = totp(7).unwrap();
        let mut upcoming = Upcoming::new(std::iter::once(&totp), 1_000);
        for round in 0..50 {
            assert_eq!(
                upcoming.take(0, &totp, round).unwrap().as_str(),
                totp.code_at(1_000 + round).as_str()
            );
        }
    }

    #[test]
    fn a_code_that_a_server_could_take_for_that_of_a_later_step_is_left_out() {
        for distance in 1..=AHEAD as u64 {
            let (totp, step) = twin(distance);
            let mut upcoming = Upcoming::new(std::iter::once(&totp), step);
            assert!(upcoming.take(0, &totp, 0).is_none(), "{distance} steps before the same code");
            let taken = (1..=distance).filter(|round| upcoming.take(0, &totp, *round).is_some()).count();
            assert_eq!(taken as u64, distance, "the later one is good");
        }
    }
}
