//! One phase of a load: who sends when, what is counted, and when it is over. It never waits itself.

use super::connection::Connection;
use super::schedule::Schedule;
use super::{Latency, Measured, Next, Pacing, Source, Until};
use anyhow::{Result, bail};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long an answer may take; then the server is given up.
const PATIENCE: Duration = Duration::from_mins(1);
/// While something waits for a clock.
const SHORT: Duration = Duration::from_micros(100);

/// What goes on during one call of [`Load::run`].
pub(super) struct Phase {
    groups: Vec<Group>,
    until: Until,
    started: Instant,
    /// Of anybody.
    last_answer: Instant,
    /// Of the first group.
    last_measured: Instant,
    /// When nothing new was sent any more.
    stopped: Option<Instant>,
    in_flight: usize,
    /// Of the first group, up to the stop.
    answered: u64,
    beside: u64,
    latency: Latency,
}

struct Group {
    pacing: Pacing,
    schedule: Option<Schedule>,
    /// Connections without a request, the one that has been so for longest first.
    free: VecDeque<usize>,
    is_exhausted: bool,
}

impl Phase {
    pub(super) fn new(connections: &[Connection], pacings: &[Pacing], until: Until) -> Result<Self> {
        let started = Instant::now();
        let of_group = |group| {
            let indices = connections.iter().enumerate().filter(move |(_, one)| one.group == group);
            indices.map(|(index, _)| index).collect()
        };
        let groups = pacings.iter().enumerate().map(|(number, pacing)| Group {
            pacing: *pacing,
            schedule: match pacing {
                Pacing::Open { per_second } => Some(Schedule::new(started, *per_second)),
                Pacing::Idle | Pacing::Closed => None,
            },
            free: of_group(number),
            is_exhausted: false,
        });
        Ok(Self {
            groups: groups.collect(),
            until,
            started,
            last_answer: started,
            last_measured: started,
            stopped: None,
            in_flight: 0,
            answered: 0,
            beside: 0,
            latency: Latency::new()?,
        })
    }

    /// Gives every free connection a request, where one is due.
    pub(super) fn fill(
        &mut self,
        connections: &mut [Connection],
        sources: &mut [&mut dyn Source],
    ) -> Result<()> {
        let now = Instant::now();
        let is_stopped = self.stopped.is_some();
        for number in 0..self.groups.len() {
            let Some(source) = sources.get_mut(number) else { bail!("a group without a source") };
            // Each free connection is looked at once: the clock may not be there yet for all of them.
            let free = self.groups.get(number).map_or(0, |group| group.free.len());
            for _ in 0..free {
                let Some(group) = self.groups.get_mut(number) else { break };
                let end = self.stopped.unwrap_or(now).min(now);
                let intended = match (&group.pacing, &group.schedule) {
                    (Pacing::Closed, _) if !is_stopped => now,
                    (Pacing::Open { .. }, Some(schedule)) if schedule.next() <= end => schedule.next(),
                    _ => break,
                };
                if group.is_exhausted {
                    break;
                }
                let Some(index) = group.free.pop_front() else { break };
                let Some(connection) = connections.get_mut(index) else { break };
                match source.next(connection.slot, &mut connection.request)? {
                    Next::Send(expected) => {
                        connection.send(expected, intended)?;
                        self.in_flight += 1;
                        if let Some(schedule) = &mut group.schedule {
                            schedule.advance();
                        }
                    }
                    Next::NotYet => group.free.push_back(index),
                    Next::Over => {
                        group.free.push_back(index);
                        group.is_exhausted = true;
                        if number == 0 {
                            self.stop(now);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn answered(
        &mut self,
        index: usize,
        connection: &mut Connection,
        sources: &mut [&mut dyn Source],
    ) -> Result<()> {
        let now = Instant::now();
        self.last_answer = now;
        self.in_flight -= 1;
        let (number, is_stopped) = (connection.group, self.stopped.is_some());
        let Some(group) = self.groups.get_mut(number) else { bail!("an answer to no group") };
        if number == 0 {
            self.last_measured = now;
            let is_open = group.schedule.is_some();
            if is_open || !is_stopped {
                self.answered += 1;
                self.latency.record(now.saturating_duration_since(connection.intended));
            }
        } else if !is_stopped {
            self.beside += 1;
        }
        // The usual case, without a detour: on with the same connection.
        if matches!(group.pacing, Pacing::Closed) && !is_stopped && !group.is_exhausted {
            match (sources.get_mut(number), number) {
                (Some(source), _) => match source.next(connection.slot, &mut connection.request)? {
                    Next::Send(expected) => {
                        self.in_flight += 1;
                        return connection.send(expected, now);
                    }
                    Next::NotYet => {}
                    Next::Over => {
                        group.is_exhausted = true;
                        group.free.push_back(index);
                        if number == 0 {
                            self.stop(now);
                        }
                        return Ok(());
                    }
                },
                (None, _) => bail!("a group without a source"),
            }
        }
        group.free.push_back(index);
        Ok(())
    }

    pub(super) fn go_on(
        &mut self,
        connections: &mut [Connection],
        sources: &mut [&mut dyn Source],
        is_quiet: bool,
    ) -> Result<()> {
        let now = Instant::now();
        let is_done = match self.until {
            Until::Answered(count) => self.answered >= count,
            Until::After(duration) => now >= self.started + duration,
        };
        if is_done {
            self.stop(match self.until {
                Until::Answered(_) => now,
                Until::After(duration) => self.started + duration,
            });
        }
        if is_quiet && self.in_flight > 0 && now > self.last_answer + PATIENCE {
            bail!("no answer for {} seconds", PATIENCE.as_secs());
        }
        self.fill(connections, sources)
    }

    fn stop(&mut self, at: Instant) {
        self.stopped.get_or_insert(at);
    }

    /// When something is to be done though no answer comes.
    pub(super) fn timeout(&self, now: Instant) -> Duration {
        let mut timeout = Duration::from_secs(1);
        if let (Until::After(duration), None) = (self.until, self.stopped) {
            timeout = timeout.min((self.started + duration).saturating_duration_since(now));
        }
        for group in self.groups.iter().filter(|group| !group.free.is_empty() && !group.is_exhausted) {
            match (&group.pacing, &group.schedule) {
                (Pacing::Closed, _) if self.stopped.is_none() => timeout = timeout.min(SHORT),
                (Pacing::Open { .. }, Some(schedule)) if self.is_due_before_the_stop(schedule) => {
                    let wait = schedule.next().saturating_duration_since(now);
                    timeout = timeout.min(if wait.is_zero() { SHORT } else { wait });
                }
                _ => {}
            }
        }
        timeout
    }

    fn is_due_before_the_stop(&self, schedule: &Schedule) -> bool {
        self.stopped.is_none_or(|stopped| schedule.next() <= stopped)
    }

    pub(super) fn is_over(&self) -> bool {
        let owes = |group: &Group| {
            !group.is_exhausted && group.schedule.as_ref().is_some_and(|one| self.is_due_before_the_stop(one))
        };
        self.stopped.is_some() && self.in_flight == 0 && !self.groups.iter().any(owes)
    }

    pub(super) fn finish(self) -> Measured {
        let is_open = self.groups.first().is_some_and(|group| group.schedule.is_some());
        let stopped = self.stopped.unwrap_or(self.last_measured);
        let end = if is_open { stopped.max(self.last_measured) } else { stopped };
        Measured {
            answered: self.answered,
            seconds: end.saturating_duration_since(self.started).as_secs_f64(),
            latency: self.latency,
            beside: self.beside,
        }
    }
}
