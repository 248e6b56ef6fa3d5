//! Turns a queue of requests into groups, so that one commit pays for everything that waited. Must never
//! lose a request it has accepted, and never answer one before its group has ended.

use super::StoreError;
use crate::metrics::{Batches, Counter};
use tokio::sync::{mpsc, oneshot};

/// A group is closed once its requests weigh this much, so that nobody waits for an endless commit.
const GROUP_WEIGHT: usize = 512;

/// Requests that may wait; whoever comes later waits for a place, which holds back the callers.
const QUEUE_LENGTH: usize = 4096;

/// Something an engine does as part of a group.
pub trait Request: Send + 'static {
    /// About how many rows and pages it touches; at least 1.
    fn weight(&self) -> usize;

    /// Answers whoever waits, with the outcome or, if the group came to nothing, with the failure.
    fn settle(self, failure: Option<&StoreError>);
}

/// An input, its outcome once the engine has one, and somebody who waits for it. The outcome may be a failure
/// of this request alone.
pub struct Pending<Input, Outcome> {
    pub input: Input,
    pub outcome: Option<Result<Outcome, StoreError>>,
    reply: oneshot::Sender<Result<Outcome, StoreError>>,
}

impl<Input, Outcome> Pending<Input, Outcome> {
    pub fn settle(self, failure: Option<&StoreError>) {
        let answer = match (failure, self.outcome) {
            (None, Some(outcome)) => outcome,
            (Some(failure), _) => Err(failure.clone()),
            (None, None) => Err(StoreError::Unavailable("the request was not carried out".to_owned())),
        };
        // A caller that has gone away is no reason to stop: its write has happened like any other.
        let _ = self.reply.send(answer);
    }
}

/// Answers a whole group and leaves it empty.
pub fn settle_all<R: Request>(group: &mut Vec<R>, failure: Option<&StoreError>) {
    for request in group.drain(..) {
        request.settle(failure);
    }
}

/// Both ends of a new queue.
pub fn queue<R: Request>(metrics: Batches) -> (Intake<R>, Queue<R>) {
    let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
    (Intake { sender, failures: metrics.failures.clone() }, Queue { receiver, metrics })
}

/// Where callers put requests. Once it is dropped the queue runs empty and then ends.
pub struct Intake<R> {
    sender: mpsc::Sender<R>,
    failures: Counter,
}

impl<R: Request> Intake<R> {
    /// Queues a request and waits for its group to end.
    pub async fn ask<Input, Outcome>(
        &self,
        input: Input,
        request: fn(Pending<Input, Outcome>) -> R,
    ) -> Result<Outcome, StoreError> {
        let (reply, answer) = oneshot::channel();
        let pending = Pending { input, outcome: None, reply };
        let answer = match self.sender.send(request(pending)).await {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(stopped())),
            Err(_) => Err(stopped()),
        };
        if answer.is_err() {
            self.failures.inc();
        }
        answer
    }

    /// Queues what tells its outcome by itself, given what its failure is to be counted in.
    pub async fn put(&self, request: impl FnOnce(Counter) -> R) {
        let request = request(self.failures.clone());
        if let Err(returned) = self.sender.send(request).await {
            returned.0.settle(Some(&stopped()));
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store has stopped".to_owned())
}

/// Where an engine takes groups from.
pub struct Queue<R> {
    receiver: mpsc::Receiver<R>,
    metrics: Batches,
}

impl<R: Request> Queue<R> {
    /// Waits on a thread of the engine's own, then takes whatever is there. `false` once there will never be more.
    pub fn next_group_blocking(&mut self, group: &mut Vec<R>) -> bool {
        let first = self.receiver.blocking_recv();
        self.fill(first, group)
    }

    /// The same on the runtime.
    pub async fn next_group(&mut self, group: &mut Vec<R>) -> bool {
        let first = self.receiver.recv().await;
        self.fill(first, group)
    }

    fn fill(&mut self, first: Option<R>, group: &mut Vec<R>) -> bool {
        let Some(first) = first else { return false };
        let mut weight = first.weight();
        group.push(first);
        while weight < GROUP_WEIGHT
            && let Ok(request) = self.receiver.try_recv()
        {
            weight = weight.saturating_add(request.weight());
            group.push(request);
        }
        #[expect(clippy::cast_precision_loss, reason = "a group is small")]
        self.metrics.sizes.observe(group.len() as f64);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sum(Pending<usize, usize>);

    impl Request for Sum {
        fn weight(&self) -> usize {
            self.0.input
        }
        fn settle(self, failure: Option<&StoreError>) {
            self.0.settle(failure);
        }
    }

    #[tokio::test]
    async fn a_group_takes_what_waits_up_to_its_weight() {
        let (intake, mut queue) = queue::<Sum>(Batches::default());
        let ask = |weight| intake.ask(weight, Sum);
        let answers = async { tokio::join!(ask(1), ask(510), ask(300), ask(7)) };
        let engine = async {
            tokio::task::yield_now().await;
            let mut sizes = Vec::new();
            for _ in 0..2 {
                let mut group = Vec::new();
                assert!(queue.next_group(&mut group).await);
                sizes.push(group.len());
                for request in &mut group {
                    request.0.outcome = Some(Ok(request.0.input));
                }
                settle_all(&mut group, None);
            }
            sizes
        };
        let (answers, sizes) = tokio::join!(answers, engine);
        assert_eq!(sizes, [3, 1]);
        assert_eq!(answers.1.unwrap(), 510);
        assert_eq!(answers.3.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_queue_runs_empty_before_it_ends_though_nobody_waits_any_more() {
        let (intake, mut queue) = queue::<Sum>(Batches::default());
        {
            let mut asked = std::pin::pin!(intake.ask(3, Sum));
            let polled = std::future::poll_fn(|context| std::task::Poll::Ready(asked.as_mut().poll(context)));
            assert!(polled.await.is_pending());
        }
        drop(intake);
        let mut group = Vec::new();
        assert!(queue.next_group(&mut group).await);
        settle_all(&mut group, None);
        assert!(!queue.next_group(&mut group).await);
    }

    #[tokio::test]
    async fn whoever_waits_is_told_when_the_engine_dies() {
        let (intake, queue) = queue::<Sum>(Batches::default());
        let (answer, ()) = tokio::join!(intake.ask(1, Sum), async { drop(queue) });
        assert!(matches!(answer, Err(StoreError::Unavailable(_))));
        assert!(matches!(intake.ask(1, Sum).await, Err(StoreError::Unavailable(_))));
    }
}
