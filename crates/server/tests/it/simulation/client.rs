//! What clients of a simulated world do: right codes at several replicas at once, wrong ones, replays, repeats under a key,
//! proofs, and codes that the service made.

use super::request::{Try, What};
use super::user::PERIOD;
use super::world::{REPLICAS, USERS, World};
use crate::harness::history::{Answer, Asked};
use einmal::accounts::Unsent;
use einmal::clock::Clock;
use einmal_core::Timestamp;
use einmal_core::account::ReservedMail;
use einmal_core::otp::Code;
use std::sync::Arc;
use std::time::Duration;

const REQUESTS: usize = 8;
const MAILS: usize = 2;
/// Each of which may end a connection to a server that is none any more.
const TRIES_UNTIL_WELL: usize = 12;

/// Several tries, one after the other.
pub(crate) async fn try_codes(world: Arc<World>) {
    for _ in 0..REQUESTS {
        world.schedule.pause(world.haste).await;
        let user = world.next_user();
        if world.schedule.below(100) < world.wrong {
            at_once(&world, wrong(&world, user)).await;
            continue;
        }
        match world.schedule.below(100) {
            0..45 => at_once(&world, right(&world, user)).await,
            45..70 => {
                right(&world, user).verify(&world, None, 1 + world.schedule.index(4)).await;
            }
            70..83 => prove(&world, user).await,
            83..92 => replay(&world).await,
            _ => issued(&world).await,
        }
    }
}

/// Of this moment by some replica's clock, or next to it.
fn right(world: &World, user: usize) -> Try {
    let step = world.now(world.schedule.index(REPLICAS)).seconds() / PERIOD;
    let beside = [0, 0, 0, 0, -1, 1][world.schedule.index(6)];
    Try::of_step(world, user, step.saturating_add_signed(beside))
}

fn wrong(world: &World, user: usize) -> Try {
    loop {
        let code = Code::random(&*world.entropy).unwrap();
        let is_issued =
            world.issued.lock().unwrap().iter().any(|issued| issued.code.as_str() == code.as_str());
        if !is_issued && !world.users[user].has(&code) {
            return Try { user, code, what: What::Wrong };
        }
    }
}

/// One to four times, at whatever replicas.
async fn at_once(world: &Arc<World>, code: Try) {
    let clients = (0..=world.schedule.below(4)).map(|_| {
        let (world, code) = (Arc::clone(world), code.clone());
        tokio::spawn(async move {
            world.schedule.step().await;
            code.verify(&world, None, 1).await;
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

async fn prove(world: &World, user: usize) {
    let made = (!world.is_plain).then(|| wrong(world, user).code);
    right(world, user).prove(world, world.schedule.index(REPLICAS), made).await;
}

/// A code that was tried before, by anybody.
async fn replay(world: &Arc<World>) {
    let before = world.history.attempts();
    let codes = before.iter().filter_map(|attempt| match attempt.asked {
        Asked::Right(code) | Asked::Stale(code) if code.account < USERS => Some(code),
        _ => None,
    });
    let codes: Vec<_> = codes.collect();
    if !codes.is_empty() {
        let code = codes[world.schedule.index(codes.len())];
        at_once(world, Try::of_step(world, code.account, code.step)).await;
    }
}

/// A code that the service made.
async fn issued(world: &Arc<World>) {
    let issued = world.issued.lock().unwrap().clone();
    if !issued.is_empty() {
        let number = world.schedule.index(issued.len());
        let (user, code) = (issued[number].user, issued[number].code.clone());
        at_once(world, Try { user, code, what: What::Issued(number) }).await;
    }
}

struct ReplicaClock {
    world: Arc<World>,
    replica: usize,
}

impl Clock for ReplicaClock {
    fn now(&self) -> Timestamp {
        self.world.now(self.replica)
    }
}

/// At one replica, one after the other: of several who wait for one mail, nobody says in which order they are told.
pub(crate) async fn ask_for_mails(world: Arc<World>, replica: usize) {
    for _ in 0..MAILS {
        world.schedule.pause(4 * world.haste).await;
        let user = world.next_user();
        let accounts = world.accounts(replica);
        let clock = Arc::new(ReplicaClock { world: Arc::clone(&world), replica });
        let (id, policy, mailer) =
            (world.users[user].id.clone(), Arc::clone(&world.policy), Arc::clone(&world));
        let send = move |mail: ReservedMail, _: Duration| async move {
            mailer.schedule.step().await;
            mailer.note_issued(user, &mail.code);
            mailer.schedule.step().await;
            let refused = |is_perhaps_sent| Unsent { reason: "in vain".to_owned(), is_perhaps_sent };
            match mailer.schedule.below(8) {
                0 => Err(refused(false)),
                1 => Err(refused(true)),
                _ => Ok(()),
            }
        };
        let _ = accounts.mail_code(id, clock, policy, send).await;
    }
}

/// After all that went wrong the code of the moment is good, and once.
pub(crate) async fn is_well(world: &World) -> Result<(), String> {
    for user in 0..USERS {
        let step = world.now(0).seconds() / PERIOD;
        let now = Try::of_step(world, user, step);
        let answer = now.verify(world, None, TRIES_UNTIL_WELL).await;
        if answer != Answer::Accepted {
            return Err(format!("after all the code of the moment of user {user} is {answer:?}"));
        }
        for replica in 0..REPLICAS {
            let answer = now.verify(world, Some(replica), TRIES_UNTIL_WELL).await;
            if answer != Answer::Refused {
                return Err(format!(
                    "after all a spent code of user {user} is {answer:?} at replica {replica}"
                ));
            }
        }
    }
    Ok(())
}
