//! What is measured: every experiment on one screen.

use crate::experiment::{Contestant, Experiment, Measure};
use crate::peers::Peer;
use crate::requests::{Codes, TokenUse};
use crate::sample::{Beside, Server, Workload};
use crate::tokens::SigningAlgorithm;
use crate::workbench::Backend;

const SQLITE: Server = Server::Einmal { backend: Backend::Sqlite, replicas: 1 };
const POSTGRES: Server = Server::Einmal { backend: Backend::Postgres, replicas: 1 };
const POSTGRES_TIMES_3: Server = Server::Einmal { backend: Backend::Postgres, replicas: 3 };

const SEEN: Workload = Workload::new(TokenUse::Seen);
const FRESH: Workload = Workload::new(TokenUse::Fresh);

/// Those of a short run.
pub const QUICK: &[&str] = &["seen", "fresh", "latency"];

type Named = (&'static str, Contestant);

fn one(label: &'static str, server: Server, workload: Workload) -> Named {
    (label, Contestant::Server(server, workload))
}

fn throughput(name: &'static str, title: &'static str, contestants: Vec<Named>) -> Experiment {
    Experiment { name, title, measure: Measure::Throughput, contestants }
}

fn latency(name: &'static str, title: &'static str, half_of: usize, contestants: Vec<Named>) -> Experiment {
    Experiment { name, title, measure: Measure::Latency { half_of }, contestants }
}

/// All of them; with ten million accounts only if that is wanted, which takes minutes and 5 GB the first time.
pub fn all(with_ten_million: bool) -> Vec<Experiment> {
    let mut all = ceilings();
    all.extend(kinds());
    all.extend(beside());
    all.extend(sizes(with_ten_million));
    all.extend(peers());
    all
}

fn ceilings() -> Vec<Experiment> {
    vec![
        throughput(
            "seen",
            "Tokens seen before, right codes, 100,000 accounts",
            vec![
                one("ceiling (a): answers 204 and looks at nothing", Server::Answers, SEEN),
                one("einmal on SQLite", SQLITE, SEEN),
                one("einmal on PostgreSQL", POSTGRES, SEEN),
            ],
        ),
        throughput(
            "fresh",
            "Each token new (RS256), right codes, 100,000 accounts",
            vec![
                one("ceiling (b): checks the token and nothing else", Server::Tokens, FRESH),
                one("einmal on SQLite", SQLITE, FRESH),
                one("einmal on PostgreSQL", POSTGRES, FRESH),
            ],
        ),
        latency(
            "latency",
            "Open loop, each token new (RS256), at half of what einmal on SQLite reaches",
            1,
            vec![
                one("ceiling (b): checks the token and nothing else", Server::Tokens, FRESH),
                one("einmal on SQLite", SQLITE, FRESH),
            ],
        ),
        latency(
            "latency-postgres",
            "Open loop, each token new (RS256), at half of what einmal on PostgreSQL reaches",
            1,
            vec![
                one("ceiling (b): checks the token and nothing else", Server::Tokens, FRESH),
                one("einmal on PostgreSQL", POSTGRES, FRESH),
            ],
        ),
    ]
}

fn kinds() -> Vec<Experiment> {
    let signed = |algorithm| Workload { algorithm, ..FRESH };
    let codes = |codes| Workload { codes, ..SEEN };
    let (es256, eddsa) = (signed(SigningAlgorithm::Es256), signed(SigningAlgorithm::EdDsa));
    vec![
        throughput(
            "es256",
            "Each token new (ES256)",
            vec![one("ceiling (b), ES256", Server::Tokens, es256), one("einmal on SQLite", SQLITE, es256)],
        ),
        throughput(
            "eddsa",
            "Each token new (EdDSA)",
            vec![one("ceiling (b), EdDSA", Server::Tokens, eddsa), one("einmal on SQLite", SQLITE, eddsa)],
        ),
        throughput(
            "codes",
            "Right and wrong codes, tokens seen before, SQLite",
            vec![
                one("right", SQLITE, SEEN),
                one("one of ten wrong", SQLITE, codes(Codes::TenthWrong)),
                one("wrong", SQLITE, codes(Codes::Wrong)),
            ],
        ),
        throughput(
            "log",
            "The line that is logged for each request, written to /dev/null, SQLite",
            vec![
                one("log.level = \"info\" (default)", SQLITE, SEEN),
                one("log.level = \"warn\"", SQLITE, Workload { log_level: "warn", ..SEEN }),
            ],
        ),
    ]
}

fn beside() -> Vec<Experiment> {
    let with = |beside| Workload { beside, ..SEEN };
    vec![
        latency(
            "hot",
            "Open loop, others' right codes while one account is guessed at, SQLite",
            0,
            vec![
                one("quiet", SQLITE, SEEN),
                one("beside 8 connections that guess at one account", SQLITE, with(Beside::HotAccount)),
            ],
        ),
        latency(
            "hashing",
            "Open loop, VerifyOTP beside CreateOTP, SQLite",
            0,
            vec![
                one("quiet", SQLITE, SEEN),
                one("beside 64 connections of CreateOTP (Argon2)", SQLITE, with(Beside::Hashing)),
            ],
        ),
    ]
}

fn sizes(with_ten_million: bool) -> Vec<Experiment> {
    let sized = |workload: Workload, accounts| Workload { accounts, ..workload };
    let connected = |connections| Workload { connections, ..SEEN };
    let by_size = |workload: Workload| {
        let mut all = vec![
            one("1,000 accounts", SQLITE, sized(workload, 1_000)),
            one("100,000 accounts", SQLITE, workload),
            one("1,000,000 accounts", SQLITE, sized(workload, 1_000_000)),
        ];
        if with_ten_million {
            all.push(one("10,000,000 accounts", SQLITE, sized(workload, 10_000_000)));
        }
        all
    };
    let million = sized(FRESH, 1_000_000);
    vec![
        throughput("accounts-seen", "By number of accounts, tokens seen before, SQLite", by_size(SEEN)),
        throughput("accounts-fresh", "By number of accounts, each token new (RS256), SQLite", by_size(FRESH)),
        throughput(
            "cold",
            "1,000,000 accounts, each token new, from the first request on, SQLite",
            vec![
                one("page cache warm", SQLITE, million),
                one("page cache cold", SQLITE, Workload { is_cold: true, ..million }),
            ],
        ),
        throughput(
            "connections",
            "By number of connections, tokens seen before, SQLite",
            vec![
                one("64 connections", SQLITE, SEEN),
                one("1 connection", SQLITE, connected(1)),
                one("16 connections", SQLITE, connected(16)),
                one("256 connections", SQLITE, connected(256)),
                one("1,024 connections", SQLITE, connected(1_024)),
            ],
        ),
        throughput(
            "replicas",
            "Replicas on one PostgreSQL, all on the same cores, each token new (RS256)",
            vec![one("1 replica", POSTGRES, FRESH), one("3 replicas", POSTGRES_TIMES_3, FRESH)],
        ),
    ]
}

fn peers() -> Vec<Experiment> {
    vec![
        throughput(
            "fastify",
            "Beside a Node service (fastify, jose, otplib, pg; 2 workers) on the same PostgreSQL, each token new (RS256)",
            vec![
                ("fastify", Contestant::Peer(Peer::Fastify)),
                one("einmal on PostgreSQL", POSTGRES, FRESH),
                one("einmal on SQLite", SQLITE, FRESH),
            ],
        ),
        throughput(
            "privacyidea",
            "Beside privacyIDEA (gunicorn, 2 workers)",
            vec![
                ("privacyIDEA as installed", Contestant::Peer(Peer::PrivacyIdea { hashes_empty_pin: true })),
                (
                    "privacyIDEA without its hash of the empty PIN",
                    Contestant::Peer(Peer::PrivacyIdea { hashes_empty_pin: false }),
                ),
                one("einmal on SQLite, tokens new", SQLITE, FRESH),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_experiment_has_a_name_of_its_own_and_the_quick_ones_are_there() {
        let names: Vec<_> = all(true).iter().map(|experiment| experiment.name).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        assert!(QUICK.iter().all(|name| names.contains(name)));
    }
}
