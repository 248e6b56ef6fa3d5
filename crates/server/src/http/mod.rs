//! From the socket to the router: accepting, the bounds on every wait, framing that leaves no doubt, and an end
//! that loses no request. It knows no route, and answers by itself only what is no proper request.

mod chunks;
mod client_address;
mod connection;
mod deadline;
mod exchange;
mod head;
mod host;
mod http1;
mod http2;
mod limits;
mod linger;
mod pace;
mod preface;
mod refusal;
mod shutdown;
mod stream;
mod tls;
mod tls_records;

pub use client_address::{ClientAddress, TrustedProxies};
pub use limits::Limits;
pub use pace::{Pace, Turn};
pub use refusal::{Refusal, Refuse};
pub use shutdown::{DEFAULT_DRAIN, Shutdown, Signals};
pub use tls::{Tls, TlsError, TlsFiles};

use crate::metrics::Gauge;
use axum::Router;
use connection::Server;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

/// Connections that may wait in the kernel to be accepted; the system's own limit may be lower.
const BACKLOG: u32 = 4096;

/// A listener with a backlog that stands a crowd: the usual one overflows with 128 clients at once, who then see
/// seconds of delay. Needs a running runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the last connections of the process before it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What is between clients and a listener. By default nothing.
#[derive(Clone, Default)]
pub struct Front {
    pub tls: Option<Arc<Tls>>,
    pub trusted_proxies: TrustedProxies,
}

/// Serves `router` on `listener` until `shutdown` is over: at its end every connection is closed.
pub async fn serve(
    listener: TcpListener,
    front: Front,
    router: Router,
    refuse: Arc<dyn Refuse>,
    limits: Limits,
    shutdown: Shutdown,
) {
    let connections = limits.connections;
    let permits = Arc::new(Semaphore::new(connections as usize));
    let server = Server::new(front, router, refuse, limits, shutdown.clone());
    let deadline = tokio::select! {
        biased;
        deadline = shutdown.closing() => deadline,
        () = accept_forever(&listener, &permits, &server) => return,
    };
    if let Err(error) = accept_backlog(listener, &permits, &server, deadline).await {
        tracing::warn!(error = %error, "connections in the backlog could not be accepted");
    }
    // Every connection holds one permit: with all of them back, all are closed.
    if timeout_at(deadline, permits.acquire_many(connections)).await.is_err() {
        tracing::warn!("requests were still going on at the end of the shutdown and are cut off");
    }
}

/// Never returns; the accepting itself cannot fail for good.
async fn accept_forever(listener: &TcpListener, permits: &Arc<Semaphore>, server: &Server) {
    let mut failures = Failures::default();
    // Taken before accept, so that at the cap clients wait in the backlog and cost no descriptor.
    while let Ok(permit) = Arc::clone(permits).acquire_owned().await {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => break spawn(stream, peer, permit, server),
                Err(error) => failures.pause(&error).await,
            }
        }
    }
}

/// Closing a listener resets what it has not accepted, so everything in it is accepted first. Asked of the
/// kernel: the runtime's readiness may not have heard of the last connections.
async fn accept_backlog(
    listener: TcpListener,
    permits: &Arc<Semaphore>,
    server: &Server,
    deadline: Instant,
) -> io::Result<()> {
    let listener = listener.into_std()?;
    let accept = || -> io::Result<_> {
        let (stream, peer) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok((TcpStream::from_std(stream)?, peer))
    };
    let mut failures = Failures::default();
    loop {
        let Ok(Ok(permit)) = timeout_at(deadline, Arc::clone(permits).acquire_owned()).await else {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        };
        match accept() {
            Ok((stream, peer)) => spawn(stream, peer, permit, server),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => {
                if timeout_at(deadline, failures.pause(&error)).await.is_err() {
                    return Err(error);
                }
            }
        }
    }
}

fn spawn(stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit, server: &Server) {
    // Answers are written whole, so there is nothing to gather; an error means that the client is gone again.
    let _ = stream.set_nodelay(true);
    let server = server.clone();
    let counted = Counted::new(&server.limits.open);
    tokio::spawn(async move {
        connection::serve(stream, peer.ip(), server).await;
        drop((permit, counted));
    });
}

/// A connection in the gauge, however it ends.
struct Counted(Gauge);

impl Counted {
    fn new(open: &Gauge) -> Self {
        open.inc();
        Self(open.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The client was gone before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Out of descriptors or memory: it passes when others finish, and until then must neither spin nor fill the log.
#[derive(Default)]
struct Failures {
    logged_at: Option<Instant>,
}

impl Failures {
    const PAUSE: Duration = Duration::from_millis(50);
    const LOG_EVERY: Duration = Duration::from_secs(10);

    async fn pause(&mut self, error: &io::Error) {
        if is_of_one_connection(error) {
            return;
        }
        if self.logged_at.is_none_or(|at| at.elapsed() >= Self::LOG_EVERY) {
            self.logged_at = Some(Instant::now());
            tracing::error!(error = %error, "cannot accept connections, trying on");
        }
        sleep(Self::PAUSE).await;
    }
}
