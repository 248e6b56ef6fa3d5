//! What is asked for while a runtime closes: whatever is spawned on it is dropped at once, on the thread that spawns it.

use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;
use tokio::runtime::Builder;

/// Whether what `ask` asks of the world that `make` made is told to be in vain. Whoever waits for ever fails the test.
pub(crate) fn assert_in_vain<M, W, A>(make: M, ask: A)
where
    M: AsyncFnOnce() -> W + Send + 'static,
    W: 'static,
    A: for<'a> FnOnce(&'a W) -> Pin<Box<dyn Future<Output = bool> + 'a>> + Send + 'static,
{
    let (sender, asked) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let world = runtime.block_on(make());
        let handle = runtime.handle().clone();
        drop(runtime);
        let _inside = handle.enter();
        let answer = ask(&world).as_mut().poll(&mut Context::from_waker(Waker::noop()));
        sender.send(answer == Poll::Ready(true)).unwrap();
    });
    assert_eq!(asked.recv_timeout(Duration::from_secs(20)), Ok(true));
}
