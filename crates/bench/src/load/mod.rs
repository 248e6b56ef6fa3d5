//! The load generator: one thread, keep-alive connections, requests made before. Every answer is checked; the first
//! that is not the expected one ends the run.

pub mod answer;
mod connection;
mod latency;
mod phase;
mod schedule;
#[cfg(test)]
mod tests;

pub use latency::{Latency, Percentiles};

use answer::Expected;
use anyhow::{Context, Result};
use connection::Connection;
use phase::Phase;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Where requests come from.
pub trait Source {
    /// Writes the next request of the connection in this slot, whose last one has been answered.
    fn next(&mut self, slot: usize, request: &mut Vec<u8>) -> Result<Next>;
}

pub enum Next {
    Send(Expected),
    /// Something else has to happen first, such as the server's clock moving on.
    NotYet,
    /// There is nothing more to send.
    Over,
}

/// How one group of connections is used during a phase.
#[derive(Clone, Copy, Debug)]
pub enum Pacing {
    /// It is quiet.
    Idle,
    /// Each connection sends when it has its answer: for throughput.
    Closed,
    /// So many a second, whether there have been answers or not: for latency.
    Open { per_second: f64 },
}

/// When a phase is over.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    Answered(u64),
    After(Duration),
}

/// What the first group, which is the one that is measured, has seen.
pub struct Measured {
    pub answered: u64,
    pub seconds: f64,
    pub latency: Latency,
    /// Answers that all other groups got.
    pub beside: u64,
}

pub struct Load {
    epoll: OwnedFd,
    connections: Vec<Connection>,
}

impl Load {
    /// `groups` tells how many connections each has. They are spread over the addresses.
    pub fn connect(addresses: &[SocketAddr], groups: &[usize]) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::new();
        for (group, slots) in groups.iter().enumerate() {
            for slot in 0..*slots {
                let address = addresses.get(slot % addresses.len().max(1)).context("no server to ask")?;
                connections.push(Connection::open(*address, group, slot)?);
            }
        }
        let load = Self { epoll, connections };
        for (index, connection) in load.connections.iter().enumerate() {
            load.watch(index, connection)?;
        }
        Ok(load)
    }

    fn watch(&self, index: usize, connection: &Connection) -> Result<()> {
        let data = epoll::EventData::new_u64(index as u64);
        Ok(epoll::add(&self.epoll, connection.stream(), data, epoll::EventFlags::IN)?)
    }

    /// Runs until the phase is over and everything that was sent is answered.
    pub fn run(
        &mut self,
        sources: &mut [&mut dyn Source],
        pacings: &[Pacing],
        until: Until,
    ) -> Result<Measured> {
        let mut phase = Phase::new(&self.connections, pacings, until)?;
        let mut events = Vec::with_capacity(self.connections.len().max(1));
        phase.fill(&mut self.connections, sources)?;
        while !phase.is_over() {
            let timeout = Timespec::try_from(phase.timeout(Instant::now()))?;
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let index = usize::try_from(event.data.u64())?;
                let connection = self.connections.get_mut(index).context("an event of no connection")?;
                let Some(answer) = connection.receive()? else { continue };
                if answer.closes {
                    connection.reconnect()?;
                    let data = epoll::EventData::new_u64(index as u64);
                    epoll::add(&self.epoll, connection.stream(), data, epoll::EventFlags::IN)?;
                }
                phase.answered(index, connection, sources)?;
            }
            phase.go_on(&mut self.connections, sources, events.is_empty())?;
        }
        Ok(phase.finish())
    }
}
